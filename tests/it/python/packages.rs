//! Packages of plugins in Python: which of those that are installed go along, and what they find in the runtime.

use super::{code, with_files};
use crate::support::WAYS;
use pipeline::{Asset, Runner};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tests::project::root;
use toolchain::{BuildError, Built, MAIN, Made, Options};

/// A project with a plugin and an environment, which an installer of ours fills.
struct Project {
    folder: tempfile::TempDir,
}

/// Where an environment has its packages.
const SITE: &str = ".venv/lib/python3.12/site-packages";

impl Project {
    fn new(plugin: &str, requirements: &str) -> Project {
        let project = Project { folder: tempfile::tempdir().expect("there is room") };
        project.write("paddle.toml", "");
        project.write("plugins/geo/plugin.py", plugin);
        project.write("plugins/geo/requirements.txt", requirements);
        project
    }

    fn plugin(&self) -> PathBuf {
        self.folder.path().join("plugins/geo")
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.folder.path().join(file);
        fs::create_dir_all(file.parent().expect("it is in a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }

    /// Installs a distribution with these files into the environment.
    fn install(&self, name: &str, requires: &[&str], files: &[(&str, &str)]) {
        self.write(".venv/pyvenv.cfg", "version = 3.12.1\n");
        let info = format!("{}-1.0.dist-info", name.replace('-', "_"));
        let mut record = format!("{info}/METADATA,,\n{info}/RECORD,,\n../../../bin/{name},,\n");
        for (file, text) in files {
            self.write(&format!("{SITE}/{file}"), text);
            record.push_str(&format!("{file},sha256=x,{}\n", text.len()));
        }
        let requires: String = requires.iter().map(|line| format!("Requires-Dist: {line}\n")).collect();
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requires}\nName: of the text\n");
        self.write(&format!("{SITE}/{info}/METADATA"), &metadata);
        self.write(&format!("{SITE}/{info}/RECORD"), &record);
    }

    fn try_build(&self) -> Result<Built, BuildError> {
        toolchain::build(&self.plugin(), &Options::default())
    }

    fn build(&self) -> Built {
        self.try_build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The words of a refusal, with the project's folder as `<project>`.
    fn refusal(&self) -> String {
        let folder = self.folder.path().canonicalize().expect("it is there").display().to_string();
        self.try_build().expect_err("it is refused").to_string().replace(&folder, "<project>")
    }
}

fn files(built: &Built) -> &BTreeMap<String, PathBuf> {
    let Made::Script(script) = &built.made else { panic!("it is a script") };
    &script.files
}

/// What became of a record, without the id that its document gets.
fn told(runner: &mut Runner, record: &str) -> String {
    let told = super::told(runner, record);
    told.split_once(",\"paddle_id\"").map_or(told.clone(), |(document, _)| format!("{document}}}"))
}

/// The paths in the archive of a plugin.
fn packed(built: &Built) -> Vec<String> {
    let archive = fs::File::open(&files(built)["packages"]).expect("it was made");
    let archive = zip::ZipArchive::new(archive).expect("it is one");
    let mut names: Vec<String> = archive.file_names().map(|name| name.expect("UTF-8").into_owned()).collect();
    names.sort();
    names
}

/// Runs the plugin both ways.
fn both_ways(built: &Built, check: impl Fn(Result<Runner, String>)) {
    let asset = |(name, file): (&String, &PathBuf)| {
        let source = if name == MAIN { "plugin.py" } else { name }.to_owned();
        (name.clone(), Asset { source, bytes: fs::read(file).expect("it is there").into() })
    };
    let files: BTreeMap<String, Asset> = files(built).iter().map(asset).collect();
    for way in WAYS {
        check(with_files(code(way), way, files.clone(), ""));
    }
}

const GEO: &str = r#"
import importlib.metadata
import importlib.resources
import os
import pathlib

import places.names
from places import fallback


def transform(event):
    beside = pathlib.Path(places.__file__).parent
    try:
        open(beside / "new.txt", "w")
    except OSError as error:
        event.set("write", error.strerror)
    event.set("name", places.names.of(event.text("code")))
    event.set("fallback", fallback.which)
    event.set("version", importlib.metadata.version("Places"))
    event.set("data", importlib.resources.files("places.data").joinpath("codes.txt").read_text())
    with open(beside / "data" / "codes.txt", "rb") as file:
        file.seek(-3, os.SEEK_END)
        event.set("tail", file.read().decode())
    event.set("listed", sorted(os.listdir(beside)))
    event.set("folder", beside.is_dir() and not (beside / "nothing").exists())
    event.set("script", open("/script").readline().strip())
    event.set("dynamic", __import__("extra_" + "places").here)
"#;

fn geo() -> Project {
    let project = Project::new(GEO, "Places>=1\nextra-places\n# a comment\n");
    project.install(
        "Places",
        &["place_data (>=1)", "never; extra == 'all'", "not-there; sys_platform == 'win32'"],
        &[
            ("places/__init__.py", ""),
            (
                "places/names.py",
                "from place_data import NAMES\nimport single\n\n\ndef of(code):\n    return NAMES[code]\n",
            ),
            ("places/names.pyi", "def of(code: str) -> str: ...\n"),
            (
                "places/fallback.py",
                "try:\n    from places._fast import which\nexcept ImportError:\n    which = 'slow'\n",
            ),
            ("places/_fast.cpython-312-x86_64-linux-gnu.so", "\u{7f}ELF"),
            ("places/data/codes.txt", "de fr nl\n"),
            ("places/__pycache__/names.cpython-312.pyc", "x"),
        ],
    );
    project.install("place-data", &[], &[("place_data.py", "NAMES = {'nl': 'Nederland'}\n")]);
    project.install("single", &[], &[("single.py", "")]);
    project.install("extra_places", &[], &[("extra_places/__init__.py", "here = True\n")]);
    project.install("never", &[], &[("never/__init__.py", "")]);
    project.install("mypy", &[], &[("mypy/__init__.py", "")]);
    project
}

#[test]
fn what_is_imported_or_named_goes_along_and_nothing_else() {
    let project = geo();
    let built = project.build();
    assert!(built.changed && built.warnings.is_empty());
    let expected = [
        "Places-1.0.dist-info/METADATA",
        "extra_places-1.0.dist-info/METADATA",
        "extra_places/__init__.py",
        "place_data-1.0.dist-info/METADATA",
        "place_data.py",
        "places/__init__.py",
        "places/_fast.compiled",
        "places/data/codes.txt",
        "places/fallback.py",
        "places/names.py",
        "single-1.0.dist-info/METADATA",
        "single.py",
    ];
    assert_eq!(packed(&built), expected);
    let again = project.build();
    assert!(!again.changed && again.digest == built.digest);
    // The same packages on another machine, for another release of Python.
    let other = geo();
    fs::rename(other.folder.path().join(".venv/lib/python3.12"), other.folder.path().join(".venv/lib/python3.14"))
        .expect("moved");
    let site = other.folder.path().join(".venv/lib/python3.14/site-packages/places");
    let compiled = |of: &str| site.join(format!("_fast.cpython-{of}-linux-gnu.so"));
    fs::rename(compiled("312-x86_64"), compiled("314-aarch64")).expect("moved");
    assert_eq!(other.build().digest, built.digest);
    // Another release of one.
    project.write(&format!("{SITE}/place_data.py"), "NAMES = {'nl': 'the Netherlands'}\n");
    let newer = project.build();
    assert!(newer.changed && newer.digest != built.digest);
}

#[test]
fn packages_find_their_files_and_each_other() {
    let expected = r#"{"code":"nl","write":"Read-only file system","name":"Nederland","fallback":"slow","version":"1.0","data":"de fr nl\n","tail":"nl\n","listed":["__init__.py","_fast.compiled","data","fallback.py","names.py"],"folder":true,"script":"import importlib.metadata","dynamic":true}"#;
    let project = geo();
    // Without the empty line at the top.
    project.write("plugins/geo/plugin.py", GEO.trim_start());
    both_ways(&project.build(), |runner| {
        let mut runner = runner.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(told(&mut runner, r#"{"code":"nl"}"#), expected);
        let failed = told(&mut runner, r#"{"code":"xx"}"#);
        let trace = "error: KeyError: 'xx'\n  at of (/packages/places/names.py:6)\n  at transform (plugin.py:16)";
        assert_eq!(failed, trace);
    });
}

#[test]
fn a_folder_of_packages_goes_along_whole() {
    let project = Project::new("import tool\n\n\ndef transform(event):\n    event.set('n', tool.n)\n", "");
    for (file, text) in [
        ("tool/__init__.py", "n = 7\n"),
        ("unused.py", ""),
        ("bin/tool", ""),
        ("tool-1.0.dist-info/METADATA", "Name: tool\n"),
    ] {
        project.write(&format!("plugins/geo/packages/{file}"), text);
    }
    let built = project.build();
    assert_eq!(packed(&built), ["tool/__init__.py", "unused.py"]);
    both_ways(&built, |runner| {
        assert_eq!(told(&mut runner.expect("it starts"), "{}"), r#"{"n":7}"#);
    });
}

#[test]
fn what_is_missing_is_said() {
    let project = Project::new("import rpds\n", "rpds-py==1.0 ; python_version > '3'\nsix\n-r more.txt\n./here\n");
    let file = "<project>/plugins/geo/requirements.txt";
    let expected = format!(
        "an environment with the packages that it names is missing; run: python3 -m venv .venv && .venv/bin/python -m pip install \
         -r {file}"
    );
    assert_eq!(project.refusal(), expected);
    project.install("rpds-py", &[], &[("rpds/__init__.py", "from .rpds import *\n"), ("rpds/rpds.abi3.so", "")]);
    let missing = "the package `six`, which <project>/plugins/geo names, is missing; run: ";
    assert_eq!(project.refusal(), format!("{missing}<project>/.venv/bin/python -m pip install -r {file}"));
    project.write(".venv/pyvenv.cfg", "home = /usr/bin\nuv = 0.9.1\n");
    assert_eq!(project.refusal(), format!("{missing}uv pip install --python <project>/.venv -r {file}"));
    project.install("six", &[], &[("six.py", "")]);
    both_ways(&project.build(), |runner| {
        let expected = "the script cannot be loaded: ModuleNotFoundError: No module named 'rpds.rpds': it is compiled for a machine, \
            and a plugin can only use packages in Python\n  at <module> (/packages/rpds/__init__.py:1)\n  at <module> (plugin.py:1)";
        let refused = runner.err().expect("it does not start");
        assert!(refused.contains(expected), "{refused}");
    });
    // Right in the folder, and asked for as part of a package.
    project.install("ujson", &[], &[("ujson.cpython-312-x86_64-linux-gnu.so", "")]);
    project.install("regex", &[], &[("regex/__init__.py", "from . import _regex\n"), ("regex/_regex.abi3.so", "")]);
    for (module, compiled) in [("ujson", "ujson"), ("regex", "regex._regex")] {
        project.write("plugins/geo/plugin.py", &format!("import {module}\n"));
        both_ways(&project.build(), |runner| {
            let refused = runner.err().expect("it does not start");
            assert!(
                refused.contains(&format!("No module named '{compiled}': it is compiled for a machine")),
                "{refused}"
            );
        });
    }
    project.write("plugins/geo/plugin.py", "import requests\n");
    both_ways(&project.build(), |runner| {
        let refused = runner.err().expect("it does not start");
        assert!(
            refused.contains("ModuleNotFoundError: No module named 'requests'\n  at <module> (plugin.py:1)"),
            "{refused}"
        );
    });
}

#[test]
fn packages_that_are_too_many_bytes_are_named() {
    let project = Project::new("import large\n", "large");
    project.install("large", &[], &[("large/__init__.py", "import noise\n")]);
    project.install("noise", &[], &[("noise/__init__.py", "")]);
    let mut random = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(65 << 20).collect();
    fs::write(project.folder.path().join(SITE).join("noise/data.bin"), noise).expect("it can be written");
    let expected = "<project>/plugins/geo is not a plugin: its packages have 66 MiB packed, of 64 that a step's files may have; the \
        largest are noise (65 MiB), large (1 MiB)";
    assert_eq!(project.refusal(), expected);
    // A file with a hole, so as not to fill the disk.
    let hole = fs::File::create(project.folder.path().join(SITE).join("noise/more.bin")).expect("it can be made");
    hole.set_len(3 << 30).expect("a file with a hole");
    let expected = "<project>/plugins/geo is not a plugin: its packages have 3138 MiB; the largest are noise (3137 MiB), large (1 MiB)";
    assert_eq!(project.refusal(), expected);
}

#[test]
fn a_damaged_archive_is_no_packages() {
    let project = geo();
    let built = project.build();
    let whole = fs::read(&files(&built)["packages"]).expect("it was made");
    let script =
        Asset { source: "plugin.py".to_owned(), bytes: "import places\n\n\ndef transform(event): ...\n".into() };
    let mut random = fastrand::Rng::with_seed(2);
    for turn in 0..200 {
        let mut damaged = whole.clone();
        match turn % 3 {
            0 => damaged.truncate(random.usize(..whole.len())),
            1 => (0..20).for_each(|_| damaged[random.usize(..whole.len())] = random.u8(..)),
            // The directory at the end, which says where all else is.
            _ => (0..4).for_each(|_| damaged[random.usize(whole.len() - 900..whole.len())] = random.u8(..)),
        }
        let packages = Asset { source: "packages.zip".to_owned(), bytes: damaged.into() };
        let files = BTreeMap::from([(MAIN.to_owned(), script.clone()), ("packages".to_owned(), packages)]);
        let way = WAYS[0];
        // It starts, or Python says why not; it never ends the instance.
        if let Err(refused) = with_files(code(way), way, files, "") {
            assert!(refused.contains("the script cannot be loaded: "), "{turn}: {refused}");
        }
    }
}

/// Packages as they are published: data found by a name that is put together, and compiled parts with a way around
/// them.
#[test]
fn packages_from_the_index_run() {
    let environment = root().join(".tools/python");
    if !environment.join("pyvenv.cfg").is_file() {
        return tests::skip("packages from the index", "an environment", "Python with venv");
    }
    let plugin = "from zoneinfo import ZoneInfo\n\nimport yaml\nfrom dateutil import parser\n\n\ndef transform(event):\n    \
        rules = yaml.safe_load(event.text('rules'))\n    at = parser.parse(event.text('at')).replace(tzinfo=ZoneInfo(rules['zone']))\n    \
        event.set('at', at.isoformat())\n";
    let project = Project::new(plugin, "PyYAML\npython-dateutil\ntzdata\n");
    let link = |to: &Path| std::os::unix::fs::symlink(&environment, to).expect("it can be linked");
    link(&project.folder.path().join(".venv"));
    let built = project.build();
    let names = packed(&built);
    assert!(!names.iter().any(|name| name.starts_with("mypy") || name.starts_with("pip/")), "{names:?}");
    both_ways(&built, |runner| {
        let mut runner = runner.unwrap_or_else(|error| panic!("{error}"));
        let record = r#"{"at":"1 July 2024, 10:00","rules":"zone: Europe/Paris"}"#;
        assert_eq!(told(&mut runner, record), r#"{"at":"2024-07-01T10:00:00+02:00","rules":"zone: Europe/Paris"}"#);
    });
}
