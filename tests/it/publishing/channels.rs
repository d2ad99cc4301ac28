//! Channels: promote, roll back, their history, and who may move them.

use super::Desk;
use serde_json::Value;

#[test]
fn a_rollback_twice_never_returns_to_the_bad_one() {
    let desk = Desk::new();
    let (one, two, three) = (desk.publish(), desk.publish_mask("two"), desk.publish_mask("three"));
    let told = desk.json(&["rollback", "--why", "three is bad"]);
    assert_eq!(
        (&told["release"], &told["before"], &told["revision"]),
        (&two.clone().into(), &three.clone().into(), &4.into())
    );
    let told = desk.json(&["rollback"]);
    assert_eq!(told["release"], one);
    desk.fails(&["rollback"], 5, "no earlier release of it is good");
    desk.fails(&["promote", &three[..8], "--to", "live"], 5, "channel `live` was rolled back from it");
    desk.fails(&["promote", &three[..8], "--to", "other"], 5, "channel `live` was rolled back from it");
    desk.ok(&["promote", &three[..8], "--to", "live", "--force"]);
    let history = desk.json(&["releases", "--channel", "live"]);
    let held: Vec<(&str, &str)> = history
        .as_array()
        .expect("revisions")
        .iter()
        .map(|pointer| (pointer["action"].as_str().expect("how"), pointer["release"].as_str().expect("an id")))
        .collect();
    let (one, two, three) = (one.as_str(), two.as_str(), three.as_str());
    let expected = [
        ("promote", three),
        ("roll-back", one),
        ("roll-back", two),
        ("publish", three),
        ("publish", two),
        ("publish", one),
    ];
    assert_eq!(held, expected);
    let text = desk.ok(&["releases", "--channel", "live"]);
    assert!(text.contains("(bad)") && text.contains("three is bad"), "{text}");
}

#[test]
fn what_a_channel_held_at_a_time() {
    let desk = Desk::new();
    let one = desk.publish();
    let at = |time: &str| desk.json(&["releases", "--at", time])["pointer"]["release"].clone();
    assert_eq!((at("2001-09-09"), at("0s")), (Value::Null, one.clone().into()));
    let first = desk.json(&["releases", "--channel", "live"])[0]["at_ms"].as_u64().expect("a time");
    let two = desk.publish_mask("two");
    let second = desk.json(&["releases", "--channel", "live"])[0]["at_ms"].as_u64().expect("a time");
    assert!(first < second);
    assert_eq!(at("0s"), two);
    // Between the two, and by a zone's clock.
    let told = desk.ok(&["releases", "--at", "2001-09-09 01:46", "--channel", "live"]);
    assert!(told.contains("live held nothing at 2001-09-09 01:46"), "{told}");
    desk.fails(&["releases", "--at", "yesterday"], 2, "a date, a date and a time, or how long ago");
    desk.fails(&["releases", "--at", "1h", "--channel", "nothing"], 4, "nothing was ever put on it");
    let list = desk.json(&["releases"]);
    assert_eq!((&list["total"], &list["releases"][0]["release"]), (&2.into(), &two.into()));
    assert_eq!(
        (&list["releases"][0]["channels"][0], &list["releases"][1]["channels"]),
        (&"live".into(), &Value::Array(vec![]))
    );
    assert_eq!(desk.json(&["releases", "--limit", "1"])["releases"].as_array().map(Vec::len), Some(1));
}

#[test]
fn releases_are_compared_and_looked_into() {
    let desk = Desk::new();
    let (one, two) = (desk.publish(), desk.publish_mask("two"));
    desk.ok(&["promote", &one, "--to", "staging"]);
    let told = desk.json(&["diff", "staging", "live"]);
    assert_eq!((&told["from"], &told["to"]), (&one.clone().into(), &two.into()));
    let config = &told["difference"]["config"];
    assert!(config["to"].as_str().is_some_and(|text| text.contains("mask = \"two\"")), "{told}");
    let text = desk.ok(&["diff", &one[..10]]);
    assert!(text.contains("same code: filter, mask, split") && text.contains("mask = \"two\""), "{text}");
    let same = desk.ok(&["diff", "live", "live"]);
    assert!(same.contains("nothing differs"), "{same}");
    desk.fails(&["diff", "nothing"], 2, "there is no channel `nothing`");
    for command in ["status", "releases"] {
        let mistyped = desk.ok(&[command, "--pipeline", "clickstraem"]);
        assert!(mistyped.contains("nothing of `clickstraem` here; the store holds clickstream"), "{mistyped}");
    }
    desk.fails(&["diff", "ffffffff"], 4, "there is no such release");
    let shown = desk.ok(&["inspect", "--release", "staging"]);
    for words in [one.as_str(), "held by staging", "mask writes  email, message, user.email, user.ip", "[pipeline]"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn an_operator_goes_back_and_forth_and_nowhere_else() {
    let mut desk = Desk::new();
    let (one, two) = (desk.publish(), desk.publish_mask("two"));
    desk.edit("index_field = \"item_index\"", "index_field = \"at\"");
    desk.ok(&["test", "--update"]);
    let third = desk.json(&["publish"])["release"].as_str().expect("an id").to_owned();

    let mut operator = desk.colleague();
    let public = operator.ok(&["keygen", "--operator"]).trim().to_owned();
    assert!(public.starts_with("operate:"), "{public}");
    // Its own key says nothing about publishers.
    operator.fails(&["rollback"], 5, "add the key to PADDLE_TRUSTED_KEYS");
    let believed = operator.run(&["status"]);
    assert!(believed.code == 1 && believed.out.contains("live is not trusted here"), "{believed:?}");
    operator.set("PADDLE_TRUSTED_KEYS", &desk.public);
    assert_eq!(operator.json(&["rollback"])["release"], one);
    operator.ok(&["promote", &two[..8], "--to", "live", "--force"]);
    operator.fails(&["promote", &third[..8], "--to", "live"], 5, "no publisher ever put release");
    operator.fails(&["promote", &one[..8], "--to", "elsewhere"], 5, "no publisher ever put release");
    operator.fails(&["publish", "--recompile", "live"], 5, "use a publisher's");

    // A publisher believes the operator when told to, as functions do.
    assert_eq!(desk.run(&["status"]).code, 1);
    desk.set("PADDLE_TRUSTED_KEYS", &public);
    assert_eq!(desk.json(&["status"])["channels"][0]["pointer"]["release"], two);
}

#[test]
fn a_key_that_nobody_here_believes_is_told() {
    let desk = Desk::new();
    desk.publish();
    let mut stranger = Desk::new();
    stranger.set("PADDLE_STORE", &desk.store().display().to_string());
    stranger.fails(&["publish", "--to", "live"], 5, "add the key to PADDLE_TRUSTED_KEYS");
    stranger.fails(&["promote", "live", "--to", "live"], 5, "add the key to PADDLE_TRUSTED_KEYS");
    stranger.fails(&["inspect", "--release", "live"], 5, "add the key to PADDLE_TRUSTED_KEYS");
    stranger.set("PADDLE_SIGNING_KEY", "what is this");
    stranger.fails(&["releases"], 2, "PADDLE_SIGNING_KEY");
}

#[test]
fn keys_are_made_once_and_kept_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::without_key();
    let told = desk.json(&["keygen"]);
    let file = told["file"].as_str().expect("a file");
    let mode = std::fs::metadata(file).expect("it is there").permissions().mode();
    assert_eq!((mode & 0o777, told["purposes"].as_str()), (0o600, Some("release+channel+compiled")));
    let again = desk.fails(&["keygen"], 5, "keys are never overwritten");
    assert!(again.err.contains(told["public"].as_str().expect("a line")), "{again:?}");
    desk.fails(&["keygen", "--name", "../x"], 2, "make the name of a key");
    let narrow = desk.json(&["keygen", "--name", "narrow", "--purposes", "release+channel"]);
    assert_eq!(narrow["purposes"], "release+channel");
    let public = narrow["public"].as_str().expect("a line");
    assert!(public.starts_with("release+channel:"), "{public}");
    let shown = desk.run(&["keygen", "--name", "other", "--purposes", "channel+release"]);
    assert!(shown.err.contains("It may publish releases, move channels to any release."), "{shown:?}");
    desk.fails(&["keygen", "--name", "none", "--purposes", "publish"], 2, "`release`, `channel`, `compiled`");
    desk.fails(&["keygen", "--name", "both", "--purposes", "release", "--operator"], 2, "cannot be used with");
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).expect("changed");
    desk.fails(&["releases"], 2, "can be read by others (mode 644)");
}
