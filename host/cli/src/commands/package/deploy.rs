//! The commands that deploy a package: complete, to be copied. What only the person knows is a variable of the shell,
//! and a variable that was not set ends the command before anything is done.

use crate::environment;
use crate::project::Project;
use crate::releases::keys::Keys;
use registry::Trust;
use serde::Serialize;
use std::fmt::Write as _;
use std::path::Path;

/// Digits of the zip's digest in its key: another zip has another key, else CloudFormation sees no change.
const DIGEST_DIGITS: usize = 16;

/// What a person has to set, and the commands.
#[derive(Debug, Default, Serialize)]
pub(super) struct Deploy {
    /// Variables and what each is.
    pub(super) set: Vec<(String, String)>,
    pub(super) commands: Vec<String>,
}

/// What is known of the function.
pub(super) struct Known<'a> {
    pub(super) zip: &'a Path,
    pub(super) digest: &'a str,
    pub(super) template: &'a Path,
    pub(super) arch: &'a str,
    /// Whether the pipeline is in the zip: then there is no store.
    pub(super) bundled: bool,
    pub(super) project: Option<&'a Project>,
}

/// The commands for this package.
pub(super) fn commands(known: &Known<'_>) -> Deploy {
    let mut deploy = Deploy::default();
    let pipeline = environment::pipeline().or_else(|| known.project.map(|project| project.pipeline.name.clone()));
    let name = stack(pipeline.as_deref().unwrap_or("paddlewheel"));
    let key = format!("{name}/{}.zip", known.digest.get(..DIGEST_DIGITS).unwrap_or(known.digest));

    let bucket = deploy.asked("CODE_BUCKET", "a bucket for the zip");
    let to = Word::new("s3://").variable(&bucket).text("/").text(&key);
    let zip = Word::new(&known.zip.to_string_lossy());
    deploy.commands.push(format!("aws s3 cp {zip} {to}"));

    let mut parameters = vec![
        Word::new("CodeBucket=").variable(&bucket),
        Word::new("CodeKey=").text(&key),
        Word::new("Architecture=").text(known.arch),
        Word::new("StreamArn=").variable(&deploy.asked("STREAM_ARN", "the ARN of the Kinesis stream")),
    ];
    parameters.extend(routes(known.project, &mut deploy));
    let letters = deploy.asked("DEAD_LETTER_BUCKET", "a bucket for records that cannot be processed, not the store's");
    let failures = deploy.asked("FAILURE_BUCKET", "a bucket for batches that Lambda gives up on");
    parameters.push(Word::new("DeadLetterBucket=").variable(&letters));
    parameters.push(Word::new("FailureBucketArn=arn:aws:s3:::").variable(&failures));
    if !known.bundled {
        parameters.extend(store(known.project, pipeline.as_deref(), &mut deploy));
    }
    let template = Word::new(&known.template.to_string_lossy());
    let mut command = format!(
        "aws cloudformation deploy --stack-name {name} --template-file {template} \\\n  --capabilities CAPABILITY_IAM \
         --parameter-overrides"
    );
    for parameter in parameters {
        // Writing into a String does not fail.
        let _ = write!(command, " \\\n    {parameter}");
    }
    deploy.commands.push(command);
    deploy
}

/// Where each route goes.
fn routes(project: Option<&Project>, deploy: &mut Deploy) -> Vec<Word> {
    let stream = deploy.asked("DELIVERY_STREAM", "the Firehose stream that the route `default` goes to");
    let mut parameters = vec![Word::new("DeliveryStream=").variable(&stream)];
    let routes = project.map(|project| project.pipeline.routes.as_slice()).unwrap_or_default();
    let further = routes.iter().map(|route| &*route.name).filter(|name| *name != "default");
    let mut word = Word::new("Routes=");
    let mut any = false;
    for name in further {
        let variable = format!("{}_DELIVERY_STREAM", shouted(name));
        let variable = deploy.asked(&variable, &format!("the Firehose stream that the route `{name}` goes to"));
        word = word.text(",").text(name).text("=").variable(&variable);
        any = true;
    }
    parameters.extend(any.then_some(word));
    parameters
}

/// Which channel of which store is followed, and whom the function believes.
fn store(project: Option<&Project>, pipeline: Option<&str>, deploy: &mut Deploy) -> Vec<Word> {
    let release = project.map(|project| &project.pipeline.release);
    let url = environment::store().or_else(|| release.and_then(|release| release.store.clone()));
    let url = url.map(|url| url.trim_end_matches('/').to_owned());
    // A folder of this machine is nothing that a function could read.
    let (url, bucket) = match url.as_deref().and_then(|url| url.strip_prefix("s3://")) {
        Some(rest) => {
            let bucket = rest.split('/').next().unwrap_or(rest);
            (Word::new("Store=s3://").text(rest), Word::new("StoreBucket=").text(bucket))
        }
        None => {
            let bucket =
                deploy.asked("STORE_BUCKET", "the bucket of the releases (paddle publish --store s3://…/releases)");
            let url = Word::new("Store=s3://").variable(&bucket).text("/releases");
            (url, Word::new("StoreBucket=").variable(&bucket))
        }
    };
    let pipeline = match pipeline {
        Some(name) => Word::new("Pipeline=").text(name),
        None => Word::new("Pipeline=").variable(&deploy.asked("PIPELINE", "the pipeline's name in the store")),
    };
    let channel = environment::channel().or_else(|| release.and_then(|release| release.channel.clone()));
    let channel = channel.map(|channel| Word::new("Channel=").text(&channel));
    let keys = match trusted() {
        Some(keys) => Word::new("TrustedKeys=").text(&keys),
        None => Word::new("TrustedKeys=").variable(&deploy.asked("TRUSTED_KEYS", "what paddle keygen printed")),
    };
    [url, bucket, pipeline].into_iter().chain(channel).chain([keys]).collect()
}

/// The keys that are believed here, as the function wants them; none where there are none.
fn trusted() -> Option<String> {
    let Ok(Trust::Keys(keys)) = Keys::read().and_then(|keys| keys.trust()) else { return None };
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    Some(keys.join(","))
}

impl Deploy {
    /// A variable that a person has to set; one of that name which is something else gets a number.
    fn asked(&mut self, name: &str, what: &str) -> String {
        let taken = |name: &str| self.set.iter().any(|(known, _)| known == name);
        let mut free = name.to_owned();
        for number in 2.. {
            if !taken(&free) {
                break;
            }
            free = format!("{name}_{number}");
        }
        self.set.push((free.clone(), what.to_owned()));
        free
    }
}

/// One word of a command, in double quotes where it needs them.
struct Word {
    text: String,
    quoted: bool,
}

impl Word {
    fn new(text: &str) -> Word {
        Word { text: String::new(), quoted: false }.text(text)
    }

    fn text(mut self, text: &str) -> Word {
        for char in text.chars() {
            self.quoted |= !(char.is_ascii_alphanumeric() || "-_./:=,+@%".contains(char));
            if matches!(char, '\\' | '"' | '$' | '`') {
                self.text.push('\\');
            }
            self.text.push(char);
        }
        self
    }

    fn variable(mut self, name: &str) -> Word {
        self.quoted = true;
        self.text.push_str(&format!("${{{name}:?}}"));
        self
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.quoted { write!(f, "\"{}\"", self.text) } else { f.write_str(&self.text) }
    }
}

/// A name that CloudFormation takes for a stack: a letter, then letters, digits and dashes.
fn stack(name: &str) -> String {
    let plain: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    if plain.starts_with(|char: char| char.is_ascii_alphabetic()) { plain } else { format!("p-{plain}") }
}

/// A name as the shell's variables are written.
fn shouted(name: &str) -> String {
    let plain: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '_' }).collect();
    let begins_well = plain.starts_with(|char: char| char.is_ascii_alphabetic());
    if begins_well { plain.to_ascii_uppercase() } else { format!("ROUTE_{}", plain.to_ascii_uppercase()) }
}

#[cfg(test)]
mod tests {
    use super::{Deploy, Word, shouted, stack};

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(Word::new("Channel=live").to_string(), "Channel=live");
        assert_eq!(Word::new("s3://").variable("B").text("/x").to_string(), "\"s3://${B:?}/x\"");
        assert_eq!(Word::new("a b$`\"\\").to_string(), r#""a b\$\`\"\\""#);
    }

    #[test]
    fn names_are_taken_by_aws_and_by_the_shell() {
        assert_eq!((stack("click.stream_1"), stack("1x")), ("click-stream-1".to_owned(), "p-1x".to_owned()));
        assert_eq!((shouted("audit-log"), shouted("1")), ("AUDIT_LOG".to_owned(), "ROUTE_1".to_owned()));
        let mut deploy = Deploy::default();
        assert_eq!([deploy.asked("A", "x"), deploy.asked("A", "y")], ["A", "A_2"]);
    }
}
