//! Keys, names and digests.

use super::kind;
use crate::testing::{operator, publisher};
use crate::{Digest, ErrorKind, Name, PublicKey, Purposes, SigningKey, TrustedKeys};

#[test]
fn a_key_file_is_read_as_it_was_written() {
    let key = publisher(1);
    let line = key.to_line();
    assert!(line.starts_with("paddlewheel-secret-key-1 release+channel+compiled "), "{line}");
    assert_eq!(line.matches('\n').count(), 1);
    let again = SigningKey::parse(&line).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(SigningKey::parse(line.trim()).unwrap().public(), key.public());
    assert_ne!(SigningKey::generate(Purposes::OPERATOR).unwrap().to_line(), key.to_line());
}

#[test]
fn what_is_wrong_with_a_key_is_said_without_the_key() {
    let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=";
    let lines = [
        "",
        secret,
        &format!("paddlewheel-secret-key-1 {secret}"),
        &format!("paddlewheel-secret-key-2 release {secret}"),
        &format!("paddlewheel-secret-key-1 {secret} release"),
        &format!("paddlewheel-secret-key-1 release {secret}{secret}"),
        &format!("paddlewheel-secret-key-1 release+everything {secret}"),
        &"x".repeat(2_000),
    ];
    for line in lines {
        let error = SigningKey::parse(line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{line}");
        assert!(!error.to_string().contains("c2Vj"), "{error}");
    }
    assert!(!format!("{:?}", publisher(1)).contains(publisher(1).to_line().split(' ').next_back().unwrap().trim()));
}

#[test]
fn trusted_keys_are_read_as_they_are_documented() {
    let (publisher, operator) = (publisher(1).public(), operator(2).public());
    let text = format!(" {publisher} ,\n{operator}");
    let keys: TrustedKeys = text.parse().unwrap();
    assert_eq!(keys.iter().cloned().collect::<Vec<_>>(), [publisher.clone(), operator]);
    assert_eq!(keys.to_string().parse::<TrustedKeys>().unwrap(), keys);
    // The same key twice has the purposes of both.
    let base64 = publisher.to_string().split_once(':').unwrap().1.to_owned();
    let keys: TrustedKeys = format!("release:{base64},channel:{base64}").parse().unwrap();
    let only = keys.iter().next().unwrap();
    assert_eq!((keys.iter().count(), only.purposes().to_string().as_str()), (1, "release+channel"));
    assert_eq!(only.id(), publisher.id());
}

#[test]
fn wrong_trusted_keys_are_refused_by_their_place() {
    let good = publisher(1).public().to_string();
    for text in
        ["", ",", "release", "release:", "release:AAAA", &format!("write:{}", &good[25..]), &good.replace(':', " ")]
    {
        assert_eq!(kind(text.parse::<TrustedKeys>()), ErrorKind::Invalid, "{text}");
    }
    let error = format!("{good},release:AAAA").parse::<TrustedKeys>().unwrap_err();
    assert!(error.to_string().starts_with("read trusted key 2: "), "{error}");
    let many = vec![good; 65].join(",");
    assert_eq!(kind(many.parse::<TrustedKeys>()), ErrorKind::Invalid);
}

#[test]
fn a_public_key_has_a_name() {
    let id = publisher(1).public().id().to_string();
    assert_eq!(id.len(), 16);
    assert_eq!(publisher(1).public().to_string().parse::<PublicKey>().unwrap().id().to_string(), id);
    assert_ne!(publisher(2).public().id().to_string(), id);
}

#[test]
fn ed25519_is_ed25519() {
    // RFC 8032, section 7.1, test 1: an empty message.
    let seed: Digest = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60".parse().unwrap();
    let key = SigningKey::from_seed(*seed.as_bytes(), Purposes::PUBLISHER).unwrap();
    assert!(key.public().to_string().ends_with(":11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
    assert_eq!(
        key.sign(b""),
        "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw=="
    );
}

#[test]
fn names_stay_in_their_folder() {
    for good in ["live", "a", "click.stream_2-b", "..a", &"n".repeat(128)] {
        assert_eq!(Name::new(good).unwrap().as_str(), good);
    }
    for bad in ["", ".", "..", "...", "a/b", "a\\b", "a b", "é", "a#1", "%2e", &"n".repeat(129)] {
        assert_eq!(kind(Name::new(bad)), ErrorKind::Invalid, "{bad}");
    }
}

#[test]
fn digests_are_written_one_way() {
    let digest = Digest::of(b"");
    assert_eq!(digest.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
    for bad in ["", "e3b0", &digest.to_string().to_uppercase(), &format!("{digest}0"), &"é".repeat(32)] {
        assert_eq!(kind(bad.parse::<Digest>()), ErrorKind::Invalid, "{bad}");
    }
}
