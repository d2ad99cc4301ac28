//! The real `bootstrap` with a secret in Secrets Manager: the value is fetched when it starts, and a missing one is
//! told.

use crate::function::event;
use serde_json::Value;
use simulator::firehose::{Firehose, Options};
use simulator::runtime::{Environment, Function};
use tests::moto::Moto;
use tests::programs::program;
use tests::shop::{Recipe, Shop};

const KEY: &str = "sixteen bytes or more";

/// A function whose only step hashes with a secret.
struct Stage {
    folder: tempfile::TempDir,
    firehose: Firehose,
    moto: Moto,
}

impl Stage {
    /// None where there is no moto.
    async fn new() -> Option<Stage> {
        let moto = Moto::start("a secret in Secrets Manager")?;
        let folder = tempfile::tempdir().expect("a folder");
        let config = r#"{ fields = ["email"], action = "hash", hash_key = { secret = "redact-key" } }"#;
        let recipe = Recipe { steps: format!("[[step]]\nplugin = \"redact\"\nconfig = {config}\n"), tried: false };
        let store = format!("file://{}/store", folder.path().display());
        Shop::new(store, Default::default()).package(&recipe, &folder.path().join("package"));
        let firehose = Firehose::start(Options::new(["clicks"])).await.expect("a Firehose");
        Some(Stage { folder, firehose, moto })
    }

    async fn start(&self, secret: &str) -> Environment {
        let place = self.folder.path().display();
        let mut function = Function::new(program("bootstrap"));
        function.env = [
            ("PADDLE_CONFIG", format!("{place}/package/paddle.toml")),
            ("PADDLE_ROUTES", "default=clicks".to_owned()),
            ("PADDLE_DEAD_LETTERS", format!("file://{place}/letters")),
            ("PADDLE_SECRET_REDACT_KEY", secret.to_owned()),
            // The same batch comes to one process after the other, and each is to run it.
            ("PADDLE_JOURNAL", "off".to_owned()),
            ("AWS_ENDPOINT_URL_FIREHOSE", self.firehose.url().to_owned()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.moto.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        Environment::start(&function).await.expect("the simulator works")
    }

    /// What becomes of an address.
    async fn hashed(&self, secret: &str) -> String {
        let mut environment = self.start(secret).await;
        let invoked = environment.invoke(&event(&[1])).await.expect("the simulator works");
        invoked.outcome.into_result().unwrap_or_else(|failure| panic!("{failure}: {:?}", environment.log()));
        environment.shutdown().await;
        let accepted = self.firehose.accepted("clicks");
        let document: Value = serde_json::from_slice(&accepted.last().expect("a document").data).expect("JSON");
        document["email"].as_str().expect("it is a hash").to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_fetched_at_the_start_whole_or_by_its_key() {
    let Some(stage) = Stage::new().await else { return };
    let whole = stage.moto.make_secret("clicks/key", KEY);
    let object =
        stage.moto.make_secret("clicks/keys", &serde_json::json!({"redact": KEY, "other": "pepper"}).to_string());
    let expected = stage.hashed(KEY).await;
    assert_ne!(stage.hashed("another key of sixteen").await, expected);
    assert_eq!(stage.hashed(&whole).await, expected);
    assert_eq!(stage.hashed(&format!("{object}:redact::")).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_stops_the_start_with_a_sentence() {
    let Some(stage) = Stage::new().await else { return };
    let missing = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-Ab12Cd";
    let object = stage.moto.make_secret("clicks/keys", r#"{"redact":"pepper-and-salt-1"}"#);
    for (secret, words) in [
        (missing.to_owned(), ["PADDLE_SECRET_REDACT_KEY: read arn:aws:", "ResourceNotFoundException"]),
        (format!("{object}:other::"), ["PADDLE_SECRET_REDACT_KEY", "it has no key `other`"]),
    ] {
        let environment = stage.start(&secret).await;
        let failure = environment.init().failure.clone().expect("there is no such secret");
        assert!(words.iter().all(|word| failure.message.contains(word)), "{failure:?}");
        assert!(!failure.message.contains("pepper"), "{failure:?}");
        environment.shutdown().await;
    }
}
