//! Values of `{ secret = "NAME" }`: in variables, or in Secrets Manager, named by a variable.

use anyhow::{Context as _, anyhow};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Region;
use aws_sdk_secretsmanager::config::retry::RetryConfig;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio::task::JoinSet;

/// One request to Secrets Manager; two fit into half of Lambda's 10 seconds for init.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(2_500);

/// Tries of one secret.
const ATTEMPTS: u32 = 2;

/// Values of `PADDLE_SECRET_*`. Shows names only.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    pub(super) fn of(variables: &BTreeMap<String, String>) -> Secrets {
        let of_secret = |(name, _): &(&String, &String)| name.starts_with("PADDLE_SECRET_");
        Secrets(variables.iter().filter(of_secret).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The value for `{ secret = "NAME" }`: that of `PADDLE_SECRET_NAME`, the name in capitals, `-` and `.` written as
    /// `_`.
    ///
    /// # Errors
    /// A name without a value, or one in Secrets Manager that was not fetched.
    pub fn get(&self, name: &str) -> Result<String, String> {
        let variable = Secrets::variable(name);
        match self.0.get(&variable) {
            None => Err(format!("set {variable} to its value")),
            Some(_) if self.is_elsewhere(name) => Err(format!(
                "{variable} names a secret in Secrets Manager, which only the function reads: set it to a value"
            )),
            Some(value) => Ok(value.clone()),
        }
    }

    /// Whether the value is in Secrets Manager, and was not fetched.
    pub fn is_elsewhere(&self, name: &str) -> bool {
        self.0.get(&Secrets::variable(name)).is_some_and(|value| value.parse::<Reference>().is_ok())
    }

    /// The variable that holds a secret.
    pub fn variable(name: &str) -> String {
        format!("PADDLE_SECRET_{}", name.to_ascii_uppercase().replace(['-', '.'], "_"))
    }

    /// The same with all values here: those that are in Secrets Manager are fetched from there, at once.
    ///
    /// # Errors
    /// A secret that cannot be read, with what the function's role needs.
    pub async fn fetched(mut self) -> anyhow::Result<Secrets> {
        let elsewhere = |(name, value): (&String, &String)| Some((name.clone(), value.parse::<Reference>().ok()?));
        let elsewhere: Vec<_> = self.0.iter().filter_map(elsewhere).collect();
        if elsewhere.is_empty() {
            return Ok(self);
        }
        let aws = aws_config::load_from_env().await;
        let mut asked = JoinSet::new();
        for (variable, reference) in elsewhere {
            let client = reference.client(&aws);
            asked.spawn(async move {
                let value =
                    reference.fetch(&client).await.with_context(|| format!("{variable}: read {}", reference.arn));
                (variable, value)
            });
        }
        while let Some(answer) = asked.join_next().await {
            let (variable, value) = answer.context("ask Secrets Manager")?;
            self.0.insert(variable, value?);
        }
        Ok(self)
    }
}

/// A secret's ARN, as ECS takes it: `:json-key:version-stage:version-id` may follow, each of them empty or not.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    arn: String,
    region: String,
    key: Option<String>,
    stage: Option<String>,
    version: Option<String>,
}

impl FromStr for Reference {
    type Err = ();

    fn from_str(text: &str) -> Result<Reference, ()> {
        let parts: Vec<&str> = text.split(':').collect();
        let (secret, more) = parts.split_at_checked(7).ok_or(())?;
        let ["arn", _, "secretsmanager", region, _, "secret", name] = secret else { return Err(()) };
        if region.is_empty() || name.is_empty() || more.len() > 3 {
            return Err(());
        }
        let part = |at: usize| more.get(at).filter(|part| !part.is_empty()).map(|part| (*part).to_owned());
        Ok(Reference {
            arn: secret.join(":"),
            region: (*region).to_owned(),
            key: part(0),
            stage: part(1),
            version: part(2),
        })
    }
}

impl Reference {
    /// A client of the secret's own region, with bounded retries.
    fn client(&self, aws: &aws_config::SdkConfig) -> Client {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(ATTEMPT_TIMEOUT * ATTEMPTS)
            .build();
        let config = aws_sdk_secretsmanager::config::Builder::from(aws)
            .region(Region::new(self.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        Client::from_conf(config)
    }

    async fn fetch(&self, client: &Client) -> anyhow::Result<String> {
        let call = client.get_secret_value().secret_id(&self.arn);
        let call = call.set_version_stage(self.stage.clone()).set_version_id(self.version.clone());
        let answer = call.send().await.map_err(|error| match (error.code(), error.message()) {
            (Some(code), message) => anyhow!(
                "Secrets Manager says {code}: {}; the function's role needs secretsmanager:GetSecretValue on it, and \
                 kms:Decrypt if a key of your own encrypts it",
                message.unwrap_or("no message")
            ),
            (None, _) => anyhow!("Secrets Manager cannot be asked: {}", DisplayErrorContext(&error)),
        })?;
        let text = match (answer.secret_string, answer.secret_binary) {
            (Some(text), _) => text,
            (None, Some(bytes)) => String::from_utf8(bytes.into_inner()).map_err(|_| anyhow!("it is not UTF-8"))?,
            (None, None) => return Err(anyhow!("it has no value")),
        };
        match &self.key {
            None => Ok(text),
            Some(key) => member(&text, key),
        }
    }
}

/// The text under a key of a secret that is a JSON object. What is wrong is said without what is in it.
fn member(text: &str, key: &str) -> anyhow::Result<String> {
    let members: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|_| anyhow!("it is not a JSON object, so it has no key `{key}`"))?;
    let value = members.get(key).with_context(|| format!("it has no key `{key}`"))?;
    value.as_str().map(str::to_owned).with_context(|| format!("its `{key}` is not a string"))
}

#[cfg(test)]
mod tests {
    use super::{Reference, member};

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:clicks/redact-Ab12Cd";

    #[test]
    fn references_are_those_of_ecs() {
        let parsed = |more: &str| format!("{ARN}{more}").parse::<Reference>();
        let plain = parsed("").expect("an ARN");
        assert_eq!((plain.arn.as_str(), plain.region.as_str(), &plain.key), (ARN, "eu-west-1", &None));
        let full = parsed(":hash_key:AWSPREVIOUS:4711").expect("an ARN");
        let part = |text: &str| Some(text.to_owned());
        assert_eq!((full.key, full.stage, full.version), (part("hash_key"), part("AWSPREVIOUS"), part("4711")));
        assert_eq!(parsed(":hash_key::").expect("an ARN").key, part("hash_key"));
        for no_reference in
            ["pepper", "arn:aws:s3:::bucket", "arn:aws:secretsmanager:eu-west-1:1:secret:", "a:b:c:d:e:f:g"]
        {
            assert!(no_reference.parse::<Reference>().is_err(), "{no_reference}");
        }
        assert!(parsed(":a:b:c:d").is_err());
    }

    #[test]
    fn a_member_is_a_text_and_what_is_wrong_tells_nothing() {
        assert_eq!(member(r#"{"a":"pepper"}"#, "a").expect("it is there"), "pepper");
        for (text, told) in [
            ("pepper", "it is not a JSON object, so it has no key `a`"),
            (r#"{"b":"pepper"}"#, "it has no key `a`"),
            (r#"{"a":["pepper"]}"#, "its `a` is not a string"),
        ] {
            assert_eq!(member(text, "a").expect_err("a mistake").to_string(), told);
        }
    }
}
