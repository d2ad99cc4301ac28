//! The same over S3, as moto plays it; and what is told when a store cannot be reached.

use super::Desk;
use tests::moto::Moto;

/// A desk whose store is a bucket.
fn desk(moto: &Moto) -> Desk {
    moto.make_bucket("releases");
    let mut desk = Desk::new();
    desk.set("PADDLE_STORE", "s3://releases/of the team");
    desk.set("AWS_ENDPOINT_URL", &moto.url());
    desk.set("AWS_ACCESS_KEY_ID", "test");
    desk.set("AWS_SECRET_ACCESS_KEY", "test");
    desk
}

#[test]
fn a_bucket_is_as_good_as_a_folder() {
    let Some(moto) = Moto::start("publishing to a bucket") else { return };
    let mut desk = desk(&moto);
    let one = desk.publish();
    let two = desk.publish_mask("two");
    let status = desk.json(&["status"]);
    assert_eq!(
        (&status["store"], &status["channels"][0]["pointer"]["release"]),
        (&"s3://releases/of the team".into(), &two.into())
    );
    assert_eq!(desk.json(&["rollback"])["release"], one);
    desk.fails(&["rollback", "--at-revision", "2"], 5, "revision 2 was looked at");
    assert_eq!(desk.json(&["releases"])["total"], 2);
    assert!(desk.ok(&["gc", "--dry-run"]).contains("would remove 0 blobs"));

    desk.set("PADDLE_STORE", "s3://another/x");
    desk.fails(&["status", "--pipeline", "x"], 4, "the bucket or folder does not exist; check the store's URL");
    desk.fails(&["publish"], 4, "the bucket or folder does not exist; check the store's URL");
}

#[test]
fn what_is_missing_for_aws_is_told_in_a_sentence() {
    let mut desk = Desk::new();
    desk.set("PADDLE_STORE", "s3://releases/x");
    desk.fails(&["status"], 4, "no AWS region is set; set AWS_REGION");
    desk.fails(&["check", "--function", "clicks"], 4, "no AWS region is set: set AWS_REGION");
    desk.set("AWS_REGION", "eu-central-1");
    desk.fails(&["status"], 4, "the credentials are missing, wrong or expired (none in the environment");
    desk.fails(&["check", "--function", "clicks"], 4, "there are no valid AWS credentials (none in the environment");
    desk.set("AWS_PROFILE", "nobody");
    for arguments in [&["status"][..], &["publish", "--to", "live"], &["check", "--function", "clicks"]] {
        desk.fails(arguments, 4, "there is no AWS profile `nobody`");
    }
    // A profile of a file counts; nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    std::fs::create_dir_all(desk.path("home/.aws")).expect("a folder");
    let profile = format!(
        "[profile nobody]\nregion = eu-central-1\naws_access_key_id = test\naws_secret_access_key = test\nendpoint_url = http://{closed}\n"
    );
    std::fs::write(desk.path("home/.aws/config"), profile).expect("written");
    desk.fails(&["releases"], 4, "try again in a moment, and check the network and the endpoint");
    desk.fails(&["check", "--function", "clicks"], 4, "does not answer");
    desk.set("AWS_ENDPOINT_URL_S3", "http://192.0.2.1");
    desk.fails(&["releases"], 2, "is plain HTTP and not on this machine");
}
