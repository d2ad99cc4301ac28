//! What `publish` shows, and what it refuses: each gate, and the option that lets it through.

use super::Desk;
use crate::support;
use serde_json::Value;

/// A project of one plugin, in `plug.wasm`, without tests.
fn one_plugin(desk: &Desk, plugin: &str) {
    desk.write(
        "paddle.toml",
        "[pipeline]\nname = \"clickstream\"\n[[step]]\nname = \"plug\"\nplugin = \"./plug.wasm\"\n",
    );
    std::fs::remove_dir_all(desk.path("project/tests")).unwrap_or_default();
    std::fs::copy(support::file(plugin), desk.path("project/plug.wasm")).expect("copied");
}

fn refused(told: &Value) -> usize {
    told["refused"].as_array().expect("a list").len()
}

#[test]
fn the_first_publish_and_what_the_second_changes() {
    let desk = Desk::new();
    let dry = desk.run(&["publish", "--to", "live", "--dry-run"]);
    assert!(dry.code == 0 && dry.out.contains("the first release that live would hold"), "{dry:#?}");
    assert!(dry.err.contains("the first publish makes it") && !desk.store().exists(), "{dry:#?}");
    let first = desk.ok(&["publish", "--to", "live", "--why", "begin"]);
    assert!(first.contains("the first release that live would hold"), "{first}");
    assert!(first.contains("live now holds") && first.contains("(revision 1, held nothing before)"), "{first}");

    desk.edit("\"user.ip\", ", "");
    desk.edit("audit = \"audit\"", "audit = \"audit-2\"");
    desk.ok(&["test", "--update"]);
    let dry = desk.ok(&["publish", "--to", "live", "--dry-run"]);
    for words in [
        "which live holds (revision 1)",
        "same code: filter, mask, split",
        "mask writes  - user.ip",
        "route audit → audit-2 (was audit)",
        "+ audit = \"audit-2\"",
        "11 test events: 1 comes to something else",
        "+           \"ip\": \"198.51.100.23\"",
        "test records",
    ] {
        assert!(dry.contains(words), "{words}: {dry}");
    }
    let status = desk.json(&["status"]);
    assert_eq!(status["channels"][0]["pointer"]["revision"], 1, "a dry run writes nothing");

    let second = desk.ok(&["publish", "--to", "live"]);
    assert!(second.contains("were there") && second.contains("(revision 2, was "), "{second}");
    let again = desk.ok(&["publish", "--to", "live"]);
    assert!(again.contains("live holds the same already") && again.contains("nothing was published"), "{again}");
}

#[test]
fn json_tells_the_same() {
    let desk = Desk::new();
    let first = desk.json(&["publish", "--to", "live"]);
    assert_eq!((&first["published"], &first["revision"]), (&true.into(), &1.into()));
    assert_eq!(first["against"], Value::Null);
    assert_eq!(first["plugins"].as_array().map(Vec::len), Some(3));
    desk.edit("\"user.ip\", ", "");
    desk.ok(&["test", "--update"]);
    let second = desk.json(&["publish", "--to", "live", "--dry-run"]);
    assert_eq!((&second["published"], &second["dry_run"], refused(&second)), (&false.into(), &true.into(), 0));
    let against = &second["against"];
    assert_eq!((&against["release"], &against["revision"]), (&first["release"], &1.into()));
    assert_eq!(against["ran"]["outcomes"].as_array().map(Vec::len), Some(1));
    assert_eq!(against["difference"]["steps"][0]["writes_removed"][0], "user.ip");
}

#[test]
fn a_failing_test_is_refused() {
    let desk = Desk::new();
    desk.edit("\"user.ip\", ", "");
    let ran = desk.fails(&["publish", "--to", "live"], 5, "1 of 4 tests failed: nothing was published");
    assert!(ran.err.contains("FAILED secrets-are-masked"), "{ran:?}");
    assert!(!desk.store().join("pipelines").exists());
}

#[test]
fn private_text_in_test_records_is_refused() {
    let desk = Desk::new();
    private_text(&desk);
    let ran = desk.run(&["publish", "--to", "live", "--format", "json"]);
    let told: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!((ran.code, refused(&told), &told["published"]), (5, 1, &false.into()));
    desk.fails(&["publish", "--to", "live"], 5, "contain an e-mail address in test `private`;");
    // Nothing of it goes along.
    desk.write("paddle.toml", &(read(&desk) + "\n[release]\ntest_records = false\n"));
    desk.ok(&["publish", "--to", "live"]);
    let release = desk.json(&["inspect", "--release", "live"]);
    assert_eq!(release["manifest"]["test_records"], Value::Null);
    // Or it may.
    desk.write("paddle.toml", &read(&desk).replace("test_records = false", ""));
    desk.ok(&["publish", "--to", "live", "--allow-pii"]);
}

/// A test whose record holds somebody's address; the example's are nobody's.
fn private_text(desk: &Desk) {
    desk.write("tests/private/input.ndjson", "{\"level\":\"INFO\",\"email\":\"ann@shop.de\"}\n");
    desk.ok(&["test", "--update"]);
}

fn read(desk: &Desk) -> String {
    std::fs::read_to_string(desk.path("project/paddle.toml")).expect("a paddle.toml")
}

#[test]
fn an_import_that_a_plugin_did_not_have_is_refused() {
    let desk = Desk::new();
    one_plugin(&desk, "mask");
    desk.ok(&["publish", "--to", "live"]);
    one_plugin(&desk, "wasi");
    let ran = desk.fails(&["publish", "--to", "live"], 5, "step `plug` newly imports what it could not call before");
    assert!(ran.err.contains("--allow-import wasi:"), "{ran:?}");
    assert!(ran.out.contains("plug imports  + wasi:"), "{ran:?}");
    desk.fails(&["publish", "--to", "live", "--allow-import", "wasi:clocks"], 5, "newly imports");
    desk.ok(&["publish", "--to", "live", "--allow-import", "wasi"]);
}

#[test]
fn a_quarter_more_fuel_is_refused() {
    let desk = Desk::new();
    let whole = read(&desk);
    let (filter, rest) = whole.split_once("# Before anything else").expect("the example");
    let (_, routes) = rest.split_once("[routes]").expect("the example");
    desk.write("paddle.toml", &format!("{filter}[routes]{routes}"));
    desk.ok(&["test", "--update"]);
    desk.ok(&["publish", "--to", "live"]);
    desk.write("paddle.toml", &whole);
    desk.ok(&["test", "--update"]);
    desk.fails(&["publish", "--to", "live"], 5, "% more than now");
    private_text(&desk);
    let two = desk.fails(&["publish", "--to", "live"], 5, "for 2 reasons: (1) an event costs");
    assert!(two.out.contains("new mask") && two.out.contains("fuel per event"), "{two:?}");
    desk.ok(&["publish", "--to", "live", "--allow-slower", "--allow-pii"]);
}

#[test]
fn a_lost_race_is_told_before_the_work_and_after_it() {
    let desk = Desk::new();
    desk.publish();
    let told = "channel `live` is at revision 1, and 7 was looked at: nothing was published";
    desk.fails(&["publish", "--to", "live", "--at-revision", "7"], 5, told);
    desk.fails(&["rollback", "--at-revision", "7"], 5, "revision 7 was looked at");
    desk.fails(&["promote", "live", "--to", "live", "--at-revision", "7"], 5, "revision 7 was looked at");
    desk.ok(&["promote", "live", "--to", "live", "--at-revision", "1"]);
    desk.ok(&["promote", "live", "--to", "other", "--at-revision", "0"]);
}

#[test]
fn a_release_gets_what_it_compiles_to_later_too() {
    let desk = Desk::new();
    let id = desk.publish();
    let compiled = desk.store().join(format!("pipelines/clickstream/releases/{id}/compiled"));
    std::fs::remove_dir_all(&compiled).expect("it was compiled");
    let before = desk.ok(&["inspect", "--release", &id[..8]]);
    assert!(before.contains("compiled for 0 engines, not for that of this paddle"), "{before}");
    let dry = desk.json(&["publish", "--recompile", "live", "--dry-run"]);
    assert!(dry["dry_run"] == true && !compiled.exists());
    let told = desk.json(&["publish", "--recompile", "live"]);
    assert_eq!((&told["release"], told["engines"].as_array().map(Vec::len)), (&id.into(), Some(1)));
    let after = desk.json(&["inspect", "--release", "live"]);
    assert_eq!((&after["compiled_here"], &after["release"]), (&true.into(), &told["release"]));
}

#[test]
fn a_release_is_compiled_for_both_processors_on_either() {
    let desk = Desk::new();
    let told = desk.json(&["publish", "--target", "x86_64,arm64"]);
    assert_eq!(told["engines"].as_array().map(Vec::len), Some(2), "{told}");
    let release = told["release"].as_str().expect("what was published");
    let compiled = desk.store().join(format!("pipelines/clickstream/releases/{release}/compiled"));
    assert_eq!(std::fs::read_dir(compiled).expect("it was compiled").count(), 2);
}

#[test]
fn what_makes_no_sense_is_told() {
    let desk = Desk::without_key();
    assert_eq!(desk.ok(&["--version"]), format!("paddle {}\n", env!("CARGO_PKG_VERSION")));
    desk.fails(&["publish", "--to", "live"], 2, "make a key (paddle keygen)");
    desk.ok(&["keygen"]);
    desk.fails(&["publish", "--wait"], 2, "name it with --to");
    desk.fails(&["publish", "redact"], 2, "is not a pipeline");
    desk.fails(&["publish", "--key", "nobody"], 2, "there is no key `nobody` (there are: publisher)");
    desk.fails(&["status", "--store", "/nowhere/at/all"], 4, "there is no such folder");
    desk.fails(&["inspect", "--store", "x"], 2, "name it with --release");
    let usage = desk.run(&["publish", "--target", "mips"]);
    assert!(usage.code == 2 && usage.err.contains("possible values: x86_64, aarch64"), "{usage:?}");
}
