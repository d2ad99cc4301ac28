//! The story of `make demo-swap`: the real `paddle` publishes and the real `bootstrap` works, with records on their way
//! all the time. A release is swapped in; one is refused on the desk, one by the function; one does badly in
//! production, and the function returns from it by itself. Whatever the story says is checked, and the books are closed
//! at its end.
//!
//! `records` (numbered events), `traffic` (batches, and what comes of them), `books` (the totals), `narrator` (how it
//! is told).

pub mod books;
mod narrator;
mod records;
mod traffic;

use crate::desk::{Desk, Ran};
use crate::programs::program;
use anyhow::{Context as _, ensure};
use books::Books;
use narrator::Narrator;
use serde_json::Value;
use simulator::firehose::{Firehose, Options};
use simulator::runtime::Function;
use std::io::Write;
use std::path::PathBuf;
use traffic::{DELIVERY_STREAM, Latest, Traffic};

/// How often something is looked at, each time after some more batches, before the story fails.
const LOOKS_MAX: usize = 100;

/// Tells the story and checks it. Dropping the future ends every process.
///
/// # Errors
/// When a fact is missed, or nobody listens.
pub async fn tell(out: &mut dyn Write) -> anyhow::Result<Books> {
    let firehose = Firehose::start(Options::new([DELIVERY_STREAM])).await?;
    let desk = desk();
    let tell = Narrator::new(out, &desk.path(""));
    let mut story = Story { desk, firehose, traffic: Traffic::default(), tell };
    story.begin().await?;
    let function = story.function();
    let Story { desk, firehose, traffic, tell } = &mut story;
    let mut acts = Acts { desk, traffic, tell };
    let told = async {
        acts.play().await?;
        traffic.end();
        Ok(())
    };
    tokio::try_join!(traffic.run(&function, firehose), told)?;
    ensure!(story.firehose.violation_count() == 0, "Firehose was given what is no document");
    story.close().await
}

/// A person's desk, with a key and the example's project. Documents name their release.
fn desk() -> Desk {
    let mut desk = Desk::without_key();
    desk.set("PADDLE_BY", "you");
    desk.edit("[routes]", "[document]\nrelease_field = \"release\"\n\n[routes]");
    desk
}

struct Story<'a> {
    desk: Desk,
    firehose: Firehose,
    traffic: Traffic,
    tell: Narrator<'a>,
}

/// What happens while records are on their way.
struct Acts<'a, 'b> {
    desk: &'a mut Desk,
    traffic: &'a Traffic,
    tell: &'a mut Narrator<'b>,
}

impl Story<'_> {
    /// A key, and a first release on the channel.
    async fn begin(&mut self) -> anyhow::Result<()> {
        self.tell.chapter("A key, a store, a first release")?;
        self.tell.say(
            "The project is plugins/example: drop noise, mask what is private, one document for each item of an order.",
        )?;
        let ran = shown(&self.desk, &mut self.tell, &["keygen"], 0).await?;
        self.desk.public = ran.out.trim().to_owned();
        shown(&self.desk, &mut self.tell, &["publish", "--to", "live", "--why", "the first one"], 0).await?;
        Ok(())
    }

    /// The function, following the channel.
    fn function(&self) -> Function {
        let mut function = Function::new(program("bootstrap"));
        function.scratch = Some(self.desk.path("tmp"));
        let own = [
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_ENDPOINT_URL_FIREHOSE", self.firehose.url().to_owned()),
            ("PADDLE_STORE", format!("file://{}", self.desk.store().display())),
            ("PADDLE_PIPELINE", "clickstream".to_owned()),
            ("PADDLE_TRUSTED_KEYS", self.desk.public.clone()),
            ("PADDLE_POLL_SECONDS", "1".to_owned()),
            ("PADDLE_ROUTES", format!("default={DELIVERY_STREAM},audit={DELIVERY_STREAM}")),
            ("PADDLE_DEAD_LETTERS", format!("file://{}", self.letters().display())),
            ("PADDLE_PARTIAL_FAILURES", "reported".to_owned()),
        ];
        function.env = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        function
    }

    fn letters(&self) -> PathBuf {
        self.desk.path("project/letters")
    }

    /// The books.
    async fn close(mut self) -> anyhow::Result<Books> {
        self.tell.chapter("The books")?;
        let files = books::files(&self.letters(), &self.desk.path("project"))?;
        if let Some(file) = files.first() {
            shown(&self.desk, &mut self.tell, &["dead-letters", "show", file], 0).await?;
        }
        let mut ledger = self.traffic.ledger();
        let letters = books::letters(&self.desk, &files, ledger.records)?;
        let books = Books::close(&ledger, &letters)?;
        ensure!(books.dead > 0, "the bad release left no dead letter");
        ledger.times.sort_unstable();
        let at = |share: usize| ledger.times[(ledger.times.len() - 1) * share / 100].as_secs_f64() * 1e3;
        let Books { records, delivered, dropped, dead, documents } = books;
        self.tell.say(&format!("  {records:>8} records went in"))?;
        self.tell.say(&format!("  {delivered:>8} were delivered, as {documents} documents"))?;
        self.tell.say(&format!("  {dropped:>8} were noise, and dropped"))?;
        self.tell.say(&format!("  {dead:>8} are dead letters, of the release that did badly"))?;
        self.tell.say("         0 were lost, 0 came twice")?;
        self.tell.say(&format!("  A batch took {:.1} ms in the median, {:.1} ms at most.", at(50), at(100)))?;
        Ok(books)
    }
}

impl Acts<'_, '_> {
    async fn play(&mut self) -> anyhow::Result<()> {
        self.traffic_begins().await?;
        let good = self.a_live_swap().await?;
        self.refused_on_the_desk(&good).await?;
        self.refused_by_the_function(&good).await?;
        self.returned_by_itself(&good).await?;
        self.what_happened(&good).await
    }

    async fn traffic_begins(&mut self) -> anyhow::Result<()> {
        self.tell.chapter("Records are on their way")?;
        let latest = self.traffic.until("five batches are through", |latest| latest.batches >= 5).await?;
        self.tell.say(&format!(
            "The Lambda's real program (process {}) follows the channel `live` and looks at it once a second. A batch of\n\
             records goes in every 20 ms or so, until the end of the story. Batch {} ran with release {}; its documents say\n\
             user.email = {:?}.",
            latest.process.context("the function runs")?,
            latest.batches,
            short(latest.release()),
            latest.email
        ))?;
        Ok(())
    }

    async fn a_live_swap(&mut self) -> anyhow::Result<String> {
        self.tell.chapter("A live swap")?;
        self.tell.say(
            "You want another mask: `mask = \"[hidden]\"` in paddle.toml. What the tests expect changes with it.",
        )?;
        self.desk
            .edit("config = { fields = [\"user.email\"", "config = { mask = \"[hidden]\", fields = [\"user.email\"");
        let before = self.traffic.latest();
        self.paddle(&["test", "--update"], 0).await?;
        self.paddle(&["publish", "--to", "live", "--wait=30s", "--why", "another mask"], 0).await?;
        let old = before.release().to_owned();
        let latest = self.until("the new release works", |latest| latest.release() != old).await?;
        let [.., was, is] = latest.spans.as_slice() else { anyhow::bail!("there are two releases") };
        ensure!(was.last + 1 == is.first && latest.email == "[hidden]", "the swap went wrong: {latest:?}");
        let (good, between) = (is.release.clone(), is.first - before.batches);
        ensure!(between > 1, "no batch ran while paddle worked");
        self.tell.say(&format!(
            "\nMeanwhile {between} batches went through. Batch {} was the last with {}, batch {} the first with {}: no batch\n\
             saw both, nothing was deployed, and documents say user.email = {:?}.",
            was.last,
            short(&was.release),
            is.first,
            short(&good),
            latest.email
        ))?;
        let passed = "has passed its probation";
        self.until("its probation is over", |latest| latest.has_said(before.said.len(), passed)).await?;
        self.tell.say("10,000 events later its probation is over: it does no worse than the one before.")?;
        Ok(good)
    }

    async fn refused_on_the_desk(&mut self, good: &str) -> anyhow::Result<()> {
        self.tell.chapter("A mistake that never leaves the desk")?;
        self.tell.say("Somebody takes `user.ip` out of the masked fields. A test knows better:")?;
        self.desk.edit("\"user.ip\", ", "");
        let ran = self.paddle(&["publish", "--to", "live"], 5).await?;
        ensure!(ran.err.contains("nothing was published"), "it was not refused: {ran:?}");
        self.desk.edit("\"user.email\", ", "\"user.email\", \"user.ip\", ");
        self.still(good).await
    }

    async fn refused_by_the_function(&mut self, good: &str) -> anyhow::Result<()> {
        self.tell.chapter("A release that was tampered with")?;
        self.tell.say("A release is published; before it is promoted, somebody who may write the store, and has no key, changes\none byte of it.")?;
        self.desk.edit("[hidden]", "[gone]");
        self.paddle_unseen(&["test", "--update"]).await?;
        let published = self.paddle_unseen(&["publish", "--format", "json"]).await?;
        let published: Value = serde_json::from_str(&published.out).context("publish answers with JSON")?;
        let id = published["release"].as_str().context("a release was published")?.to_owned();
        self.tamper(&id).await?;
        let said = self.traffic.latest().said.len();
        let ran = self.paddle(&["promote", short(&id), "--to", "live", "--wait=30s"], 1).await?;
        ensure!(ran.out.contains("refused by host-"), "no host refused it: {ran:?}");
        let latest = self.until("the refusal is logged", |latest| latest.has_said(said, "was refused")).await?;
        self.log_said(&latest, said)?;
        self.still(good).await?;
        self.paddle(&["rollback", "--why", "it was tampered with"], 0).await?;
        Ok(())
    }

    /// Changes a byte of the release's test records, which no other release has.
    async fn tamper(&mut self, id: &str) -> anyhow::Result<()> {
        let shown = self.paddle_unseen(&["inspect", "--release", id, "--format", "json"]).await?;
        let shown: Value = serde_json::from_str(&shown.out).context("inspect answers with JSON")?;
        let digest = shown["manifest"]["test_records"]["digest"].as_str().context("it has test records")?;
        let blob = self.desk.store().join("blobs/sha256").join(digest);
        let mut bytes = std::fs::read(&blob).with_context(|| format!("read {}", blob.display()))?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // Beside it, then in its place: whole at every moment, as in a bucket.
        let new = blob.with_extension("new");
        std::fs::write(&new, bytes).and_then(|()| std::fs::rename(&new, &blob)).context("change a byte")
    }

    async fn returned_by_itself(&mut self, good: &str) -> anyhow::Result<()> {
        self.tell.chapter("A release that passes every test and does badly")?;
        self.tell.say("\"No order has more than three items\", says somebody, and sets `limits = { outputs = 3 }`. The tests have no\nlarger one. Production has.")?;
        self.desk.edit("[gone]", "[hidden]");
        self.desk.edit("\nplugin = \"split\"\n", "\nplugin = \"split\"\nlimits = { outputs = 3 }\n");
        self.paddle_unseen(&["test", "--update"]).await?;
        self.paddle(&["test"], 0).await?;
        let said = self.traffic.latest().said.len();
        self.paddle(&["publish", "--to", "live", "--why", "small orders only"], 0).await?;
        let latest = self.until("the function went back", |latest| latest.has_said(said, "has gone back")).await?;
        self.log_said(&latest, said)?;
        let latest = self.until("the good release works again", |latest| latest.release() == good).await?;
        let [.., bad, _] = latest.spans.as_slice() else { anyhow::bail!("there are two releases") };
        let batches = bad.last + 1 - bad.first;
        ensure!(bad.release != good, "the bad release never ran: {:?}", latest.spans);
        self.tell.say(&format!(
            "It ran for {batches} {}. The orders it failed are dead letters, whole, to be sent again.",
            if batches == 1 { "batch" } else { "batches" }
        ))?;
        self.looked(&["status"], 1, "its probation ended on 1 host").await?;
        self.paddle(&["rollback", "--why", "orders may be large"], 0).await?;
        Ok(())
    }

    async fn what_happened(&mut self, good: &str) -> anyhow::Result<()> {
        self.tell.chapter("What happened")?;
        self.paddle(&["releases", "--channel", "live"], 0).await?;
        self.looked(&["status"], 0, "1 host: 1 current").await?;
        self.still(good).await
    }

    /// The good release works on.
    async fn still(&mut self, good: &str) -> anyhow::Result<()> {
        let latest = self.traffic.some_more().await?;
        ensure!(latest.release() == good, "{} runs, and not {good}", latest.release());
        self.tell.say(&format!("\nBatch {} ran with {}, as those before it.", latest.batches, short(good)))?;
        Ok(())
    }

    async fn until(&self, what: &str, so: impl FnMut(&Latest) -> bool) -> anyhow::Result<Latest> {
        self.traffic.until(what, so).await
    }

    fn log_said(&mut self, latest: &Latest, after: usize) -> std::io::Result<()> {
        self.tell.say("\n  The function's log:")?;
        latest.said.iter().skip(after).try_for_each(|line| self.tell.say(&format!("    {}", self.tell.brief(line))))
    }

    /// Runs paddle, shows it, and asks for its exit code.
    async fn paddle(&mut self, arguments: &[&str], code: i32) -> anyhow::Result<Ran> {
        shown(self.desk, self.tell, arguments, code).await
    }

    /// Runs what the story does not show, and what must succeed.
    async fn paddle_unseen(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let ran = run(self.desk, arguments).await?;
        ensure!(ran.code == 0, "paddle {} failed: {}{}", arguments.join(" "), ran.out, ran.err);
        Ok(ran)
    }

    /// Runs it until it says so, since hosts write now and then, and shows that.
    async fn looked(&mut self, arguments: &[&str], code: i32, words: &str) -> anyhow::Result<()> {
        for _ in 0..LOOKS_MAX {
            let ran = run(self.desk, arguments).await?;
            if ran.code == code && ran.out.contains(words) {
                return Ok(self.tell.command(arguments, &ran)?);
            }
            self.traffic.some_more().await?;
        }
        anyhow::bail!("paddle {} never said `{words}` with exit code {code}", arguments.join(" "))
    }
}

/// Runs paddle. Dropping the future kills it.
async fn run(desk: &Desk, arguments: &[&str]) -> anyhow::Result<Ran> {
    let mut command = tokio::process::Command::from(desk.command(arguments));
    // A terminal's Ctrl-C is for this program, which then ends that one: else its exit code would look like a missed
    // fact.
    command.process_group(0);
    Ok(Ran::of(&command.kill_on_drop(true).output().await.context("run paddle")?))
}

async fn shown(desk: &Desk, tell: &mut Narrator<'_>, arguments: &[&str], code: i32) -> anyhow::Result<Ran> {
    let ran = run(desk, arguments).await?;
    tell.command(arguments, &ran)?;
    ensure!(ran.code == code, "paddle {} ended with exit code {}, and not {code}", arguments.join(" "), ran.code);
    Ok(ran)
}

/// The beginning of an id, as people write it.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
