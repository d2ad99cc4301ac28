//! The network: asking for a socket or an address gives `access-denied`. The methods of sockets exist for plugins to
//! link against; Python's components import all of them.

use wasmtime::Result;
use wasmtime::component::Resource;

use super::bindings::wasi::io::error::Error;
use super::bindings::wasi::io::poll::Pollable;
use super::bindings::wasi::io::streams::{InputStream, OutputStream};
use super::bindings::wasi::sockets::ip_name_lookup::{self, ResolveAddressStream};
use super::bindings::wasi::sockets::network::{self, ErrorCode, IpAddress, IpAddressFamily, IpSocketAddress, Network};
use super::bindings::wasi::sockets::tcp::{self, Duration, ShutdownType, TcpSocket};
use super::bindings::wasi::sockets::udp::{
    self, IncomingDatagram, IncomingDatagramStream, OutgoingDatagram, OutgoingDatagramStream, UdpSocket,
};
use super::bindings::wasi::sockets::{instance_network, tcp_create_socket, udp_create_socket};
use super::{Wasi, never_given, never_given_methods};

type SocketResult<T> = Result<std::result::Result<T, ErrorCode>>;
type Datagrams = (Resource<IncomingDatagramStream>, Resource<OutgoingDatagramStream>);

/// The number of the network, which has no state.
const NETWORK: u32 = 0;

impl instance_network::Host for Wasi {
    fn instance_network(&mut self) -> Result<Resource<Network>> {
        self.handles.open_fixed(NETWORK)
    }
}

impl tcp_create_socket::Host for Wasi {
    fn create_tcp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        Ok(Err(ErrorCode::AccessDenied))
    }
}

impl udp_create_socket::Host for Wasi {
    fn create_udp_socket(&mut self, _: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        Ok(Err(ErrorCode::AccessDenied))
    }
}

impl ip_name_lookup::Host for Wasi {
    fn resolve_addresses(&mut self, _: Resource<Network>, _: String) -> SocketResult<Resource<ResolveAddressStream>> {
        Ok(Err(ErrorCode::AccessDenied))
    }
}

impl network::Host for Wasi {
    fn network_error_code(&mut self, _: Resource<Error>) -> Result<Option<ErrorCode>> {
        never_given("error")
    }
}

impl network::HostNetwork for Wasi {
    fn drop(&mut self, _: Resource<Network>) -> Result<()> {
        self.handles.close();
        Ok(())
    }
}

impl ip_name_lookup::HostResolveAddressStream for Wasi {
    never_given_methods! { "stream of addresses", ResolveAddressStream:
        drop() -> Result<()>;
        resolve_next_address() -> SocketResult<Option<IpAddress>>;
        subscribe() -> Result<Resource<Pollable>>;
    }
}

impl tcp::Host for Wasi {}

impl tcp::HostTcpSocket for Wasi {
    never_given_methods! { "TCP socket", TcpSocket:
        accept() -> SocketResult<(Resource<TcpSocket>, Resource<InputStream>, Resource<OutputStream>)>;
        address_family() -> Result<IpAddressFamily>;
        drop() -> Result<()>;
        finish_bind() -> SocketResult<()>;
        finish_connect() -> SocketResult<(Resource<InputStream>, Resource<OutputStream>)>;
        finish_listen() -> SocketResult<()>;
        hop_limit() -> SocketResult<u8>;
        is_listening() -> Result<bool>;
        keep_alive_count() -> SocketResult<u32>;
        keep_alive_enabled() -> SocketResult<bool>;
        keep_alive_idle_time() -> SocketResult<Duration>;
        keep_alive_interval() -> SocketResult<Duration>;
        local_address() -> SocketResult<IpSocketAddress>;
        receive_buffer_size() -> SocketResult<u64>;
        remote_address() -> SocketResult<IpSocketAddress>;
        send_buffer_size() -> SocketResult<u64>;
        set_hop_limit(u8) -> SocketResult<()>;
        set_keep_alive_count(u32) -> SocketResult<()>;
        set_keep_alive_enabled(bool) -> SocketResult<()>;
        set_keep_alive_idle_time(Duration) -> SocketResult<()>;
        set_keep_alive_interval(Duration) -> SocketResult<()>;
        set_listen_backlog_size(u64) -> SocketResult<()>;
        set_receive_buffer_size(u64) -> SocketResult<()>;
        set_send_buffer_size(u64) -> SocketResult<()>;
        shutdown(ShutdownType) -> SocketResult<()>;
        start_bind(Resource<Network>, IpSocketAddress) -> SocketResult<()>;
        start_connect(Resource<Network>, IpSocketAddress) -> SocketResult<()>;
        start_listen() -> SocketResult<()>;
        subscribe() -> Result<Resource<Pollable>>;
    }
}

impl udp::Host for Wasi {}

impl udp::HostUdpSocket for Wasi {
    never_given_methods! { "UDP socket", UdpSocket:
        address_family() -> Result<IpAddressFamily>;
        drop() -> Result<()>;
        finish_bind() -> SocketResult<()>;
        local_address() -> SocketResult<IpSocketAddress>;
        receive_buffer_size() -> SocketResult<u64>;
        remote_address() -> SocketResult<IpSocketAddress>;
        send_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(u64) -> SocketResult<()>;
        set_send_buffer_size(u64) -> SocketResult<()>;
        set_unicast_hop_limit(u8) -> SocketResult<()>;
        start_bind(Resource<Network>, IpSocketAddress) -> SocketResult<()>;
        stream(Option<IpSocketAddress>) -> SocketResult<Datagrams>;
        subscribe() -> Result<Resource<Pollable>>;
        unicast_hop_limit() -> SocketResult<u8>;
    }
}

impl udp::HostIncomingDatagramStream for Wasi {
    never_given_methods! { "stream of datagrams", IncomingDatagramStream:
        drop() -> Result<()>;
        receive(u64) -> SocketResult<Vec<IncomingDatagram>>;
        subscribe() -> Result<Resource<Pollable>>;
    }
}

impl udp::HostOutgoingDatagramStream for Wasi {
    never_given_methods! { "stream of datagrams", OutgoingDatagramStream:
        check_send() -> SocketResult<u64>;
        drop() -> Result<()>;
        send(Vec<OutgoingDatagram>) -> SocketResult<u64>;
        subscribe() -> Result<Resource<Pollable>>;
    }
}
