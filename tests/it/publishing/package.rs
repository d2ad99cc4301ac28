//! `package`: a template that cfn-lint takes, and commands that deploy it.

use super::Desk;
use serde_json::Value;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// `e_machine` of an ELF file.
const X86_64: u8 = 62;
const ARM64: u8 = 183;

/// A file that begins as a program for a processor does.
fn bootstrap(desk: &Desk, machine: u8) -> String {
    let mut program = b"\x7FELF".to_vec();
    program.resize(64, 0);
    program[18] = machine;
    let file = desk.path("bootstrap");
    std::fs::write(&file, program).expect("written");
    file.display().to_string()
}

/// Packages, and gives what was told.
fn package(desk: &Desk, machine: u8, more: &[&str]) -> Value {
    let program = bootstrap(desk, machine);
    desk.json(&[&["package", "--bootstrap", &program, "--out", "out"], more].concat())
}

#[test]
fn the_template_is_clean_under_cfn_lint() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(".tools/moto");
    if !packages.join("cfnlint").is_dir() {
        tests::skip("the template under cfn-lint", "cfn-lint", "Python with pip");
        return;
    }
    let lint = |template: &Path| {
        let linter = ["-c", "from cfnlint.runner import main; main()", "--non-zero-exit-code", "informational"];
        let ran = Command::new("python3").args(linter).arg(template).env("PYTHONPATH", &packages).output();
        ran.expect("python3")
    };
    let desk = Desk::without_key();
    let template = desk.path("project/out/template.yaml");
    for (machine, arch) in [(X86_64, "x86_64"), (ARM64, "arm64")] {
        package(&desk, machine, &["--arch", arch]);
        let linted = lint(&template);
        assert!(linted.status.success(), "{arch}: {}", told(&linted));
    }
    // It would say so.
    let text = std::fs::read_to_string(&template).expect("a template");
    std::fs::write(&template, text.replace("provided.al2023", "provided.al1999")).expect("written");
    let linted = lint(&template);
    assert!(!linted.status.success() && told(&linted).contains("provided.al1999"), "{}", told(&linted));
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Parameters of the template, and those of them that have a default.
fn parameters(template: &Path) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = std::fs::read_to_string(template).expect("a template");
    let (_, rest) = text.split_once("Parameters:\n").expect("parameters");
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let entries = lines.filter_map(|line| Some((line.trim().split_once(':')?.0.to_owned(), line.contains("Default:"))));
    let all: Vec<(String, bool)> = entries.collect();
    let named = |(name, _): &(String, bool)| name.clone();
    (all.iter().map(named).collect(), all.iter().filter(|(_, default)| *default).map(named).collect())
}

/// Runs the commands with an `aws` that writes down what it is given, one argument a line.
fn run(desk: &Desk, told: &Value, set: bool) -> (bool, Vec<String>) {
    let (programs, written) = (desk.path("programs"), desk.path("written"));
    std::fs::create_dir_all(&programs).expect("a folder");
    let aws = programs.join("aws");
    std::fs::write(&aws, format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> '{}'\n", written.display())).expect("written");
    std::fs::set_permissions(&aws, std::fs::Permissions::from_mode(0o755)).expect("changed");
    let _ = std::fs::remove_file(&written); // There is none the first time.
    let commands: Vec<&str> =
        told["deploy"]["commands"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let path = std::env::join_paths([programs, PathBuf::from("/usr/bin"), PathBuf::from("/bin")]).expect("a path");
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands.join("\n")]).current_dir(desk.path("project")).env_clear().env("PATH", path);
    let names = told["deploy"]["set"].as_array().expect("a list").iter().filter_map(|entry| entry[0].as_str());
    if set {
        shell.envs(names.map(|name| (name, format!("my {}", name.to_lowercase()))));
    }
    let ran = shell.output().expect("sh");
    let written = std::fs::read_to_string(&written).unwrap_or_default();
    (ran.status.success(), written.lines().map(str::to_owned).collect())
}

#[test]
fn the_commands_deploy_what_was_packaged() {
    let mut desk = Desk::new();
    desk.set("PADDLE_STORE", "s3://releases/of-the-team/");
    let told = package(&desk, X86_64, &[]);
    let (ended_well, given) = run(&desk, &told, false);
    assert!(!ended_well && given.is_empty(), "nothing happens while something is not said: {given:?}");
    let (ended_well, given) = run(&desk, &told, true);
    assert!(ended_well, "{given:?}");
    let overrides: Vec<(&str, &str)> = given
        .iter()
        .skip_while(|argument| *argument != "--parameter-overrides")
        .skip(1)
        .map(|argument| argument.split_once('=').expect("name=value"))
        .collect();
    let value = |name: &str| overrides.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    for (name, expected) in [
        ("StreamArn", "my stream_arn"),
        ("Routes", ",audit=my audit_delivery_stream"),
        ("FailureBucketArn", "arn:aws:s3:::my failure_bucket"),
        ("Store", "s3://releases/of-the-team"),
        ("StoreBucket", "releases"),
        ("Pipeline", "clickstream"),
        ("TrustedKeys", &desk.public),
    ] {
        assert_eq!(value(name), Some(expected), "{name}: {given:?}");
    }
    // What was uploaded is what is deployed, and the template knows every name.
    let key = format!("s3://my code_bucket/{}", value("CodeKey").expect("a key"));
    assert!(given.contains(&key), "{key}: {given:?}");
    let (all, with_default) = parameters(&desk.path("project/out/template.yaml"));
    let named: BTreeSet<String> = overrides.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(named.is_subset(&all), "{named:?} in {all:?}");
    assert!(all.difference(&with_default).all(|name| named.contains(name)), "{all:?} but {with_default:?}: {named:?}");
    for words in
        ["STREAM_ARN=", "# the ARN of the Kinesis stream", "aws cloudformation deploy --stack-name clickstream"]
    {
        let text = desk.ok(&["package", "--bootstrap", &bootstrap(&desk, X86_64), "--out", "out"]);
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_package_with_its_pipeline_has_no_store() {
    let desk = Desk::without_key();
    let told = package(&desk, X86_64, &["--bundle"]);
    let files: Vec<&str> =
        told["files"].as_array().expect("a list").iter().filter_map(|file| file["name"].as_str()).collect();
    assert!(files.contains(&"paddle.toml") && files.len() == 8, "{files:?}");
    let (ended_well, given) = run(&desk, &told, true);
    assert!(ended_well && !given.iter().any(|argument| argument.starts_with("Store")), "{given:?}");
    // Without a project there is no name to take.
    let elsewhere = desk.colleague();
    let program = bootstrap(&elsewhere, X86_64);
    let told = elsewhere.json(&["package", "--bootstrap", &program]);
    let set: Vec<&str> =
        told["deploy"]["set"].as_array().expect("a list").iter().filter_map(|entry| entry[0].as_str()).collect();
    assert!(set.contains(&"PIPELINE") && set.contains(&"TRUSTED_KEYS"), "{set:?}");
    elsewhere.fails(&["package", "--bootstrap", &program, "--bundle"], 2, "there is no paddle.toml");
}
