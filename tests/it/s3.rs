//! Dead letters in S3, as moto plays it: written whole, and told in a sentence when they cannot be.
//!
//! The client takes its endpoint and credentials from the environment, so the inner test runs in a process of its own.

use std::process::Command;
use tests::moto::Moto;

/// Writes what the outer test reads.
#[tokio::test]
#[ignore = "run by the test below, in a process of its own"]
async fn inner() {
    let place = lambda::open_dead_letters("s3://letters/kept here").expect("a place");
    place.write("clicks/2026/11/24/00/shard-1-a+b.ndjson.gz".into(), b"body".to_vec()).await.expect("written");
    let missing = lambda::open_dead_letters("s3://nobody").expect("opening asks nobody");
    let told = missing.write("x".into(), b"body".to_vec()).await.expect_err("there is no bucket");
    assert!(format!("{told:#}").contains("NoSuchBucket"), "{told:#}");
    println!("inner is through");
}

#[test]
fn dead_letters_reach_s3() {
    let Some(moto) = Moto::start("dead letters to S3") else { return };
    moto.make_bucket("letters");
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "s3::inner", "--ignored", "--nocapture"])
        .env("AWS_ENDPOINT_URL_S3", moto.url())
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "eu-central-1")
        .output()
        .expect("this program");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("inner is through"), "{told}");
    let (status, body) = moto.request("GET", "/letters/kept%20here/clicks/2026/11/24/00/shard-1-a%2Bb.ndjson.gz", b"");
    assert!(status.contains("200") && body == b"body", "{status}");
}
