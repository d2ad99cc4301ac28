//! Files: none. No directory is open when a plugin starts, and without one WASI opens nothing, so every attempt ends in
//! the plugin's own library as "no such file" or "bad descriptor". The methods exist for plugins to link against.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::wasi::filesystem::preopens;
use super::bindings::wasi::filesystem::types::{
    self, Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use super::bindings::wasi::io::error::Error;
use super::bindings::wasi::io::streams::{InputStream, OutputStream};
use super::{Wasi, never_given, never_given_methods};

type FileResult<T> = Result<std::result::Result<T, ErrorCode>>;

impl preopens::Host for Wasi {
    fn get_directories(&mut self) -> Result<Vec<(Resource<Descriptor>, String)>> {
        Ok(Vec::new())
    }
}

impl types::Host for Wasi {
    fn filesystem_error_code(&mut self, _: Resource<Error>) -> Result<Option<ErrorCode>> {
        never_given("error")
    }
}

impl types::HostDescriptor for Wasi {
    never_given_methods! { "file descriptor", Descriptor:
        advise(u64, u64, Advice) -> FileResult<()>;
        append_via_stream() -> FileResult<Resource<OutputStream>>;
        create_directory_at(String) -> FileResult<()>;
        drop() -> Result<()>;
        get_flags() -> FileResult<DescriptorFlags>;
        get_type() -> FileResult<DescriptorType>;
        is_same_object(Resource<Descriptor>) -> Result<bool>;
        link_at(PathFlags, String, Resource<Descriptor>, String) -> FileResult<()>;
        metadata_hash() -> FileResult<MetadataHashValue>;
        metadata_hash_at(PathFlags, String) -> FileResult<MetadataHashValue>;
        open_at(PathFlags, String, OpenFlags, DescriptorFlags) -> FileResult<Resource<Descriptor>>;
        read(u64, u64) -> FileResult<(Vec<u8>, bool)>;
        read_directory() -> FileResult<Resource<DirectoryEntryStream>>;
        read_via_stream(u64) -> FileResult<Resource<InputStream>>;
        readlink_at(String) -> FileResult<String>;
        remove_directory_at(String) -> FileResult<()>;
        rename_at(String, Resource<Descriptor>, String) -> FileResult<()>;
        set_size(u64) -> FileResult<()>;
        set_times(NewTimestamp, NewTimestamp) -> FileResult<()>;
        set_times_at(PathFlags, String, NewTimestamp, NewTimestamp) -> FileResult<()>;
        stat() -> FileResult<DescriptorStat>;
        stat_at(PathFlags, String) -> FileResult<DescriptorStat>;
        symlink_at(String, String) -> FileResult<()>;
        sync() -> FileResult<()>;
        sync_data() -> FileResult<()>;
        unlink_file_at(String) -> FileResult<()>;
        write(Vec<u8>, u64) -> FileResult<u64>;
        write_via_stream(u64) -> FileResult<Resource<OutputStream>>;
    }
}

impl types::HostDirectoryEntryStream for Wasi {
    never_given_methods! { "directory", DirectoryEntryStream:
        drop() -> Result<()>;
        read_directory_entry() -> FileResult<Option<DirectoryEntry>>;
    }
}
