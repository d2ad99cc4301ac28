//! The loop: every row gets its turn in every round.

use super::peers::Peer;
use std::time::Duration;

/// Rounds that count, and rounds before them that warm up caches and branch predictors.
const ROUNDS: usize = 41;
const WARM_UP: usize = 5;

/// CPU time of one turn, at least: a tick of the clock or a switch between processes must not show.
const TURN: Duration = Duration::from_millis(20);

/// CPU time before the first round, at least: V8 compiles what runs often.
const FIRST_TURN: Duration = Duration::from_millis(200);

/// One line of the table.
pub(crate) struct Row {
    /// What it is called in the table and in `target/bench.json`.
    pub(crate) name: String,
    /// What it is, in a few words.
    pub(crate) about: &'static str,
    /// What its numbers count.
    pub(crate) unit: Unit,
    /// Records or calls of one run, by which its time is divided.
    pub(crate) units: usize,
    /// The row that it is compared with.
    pub(crate) base: Option<String>,
    /// What it must keep under, if anything.
    pub(crate) bar: Option<Bar>,
    /// One value a round, in `unit`; or why there is none.
    pub(crate) values: Result<Vec<f64>, String>,
}

/// What a row's numbers count.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Nanoseconds of CPU time a record.
    NsPerRecord,
    /// Nanoseconds of CPU time a call.
    NsPerCall,
    /// Milliseconds of CPU time for all of it.
    Ms,
    /// Size of a file.
    Mib,
}

/// What a row must keep under.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    /// Its ratio to the base.
    Ratio(f64),
    /// Its median, in its own unit.
    Median(f64),
}

/// One process and the rows it fills: most fill one.
pub(crate) struct Bench {
    pub(crate) rows: Vec<Row>,
    /// The row that must make the same documents, if this one's are compared.
    pub(crate) same_as: Option<String>,
    /// Who does it, or why it cannot be done here.
    pub(crate) work: Result<Peer, String>,
}

impl Row {
    /// A row in nanoseconds a record, without base and bar.
    pub(crate) fn new(name: &str, about: &'static str, records: usize) -> Row {
        let values = Ok(Vec::new());
        Row { name: name.to_owned(), about, unit: Unit::NsPerRecord, units: records, base: None, bar: None, values }
    }

    fn note(&mut self, time: Duration, runs: u32) {
        let time = time.as_secs_f64() / f64::from(runs) / self.units as f64;
        let value = match self.unit {
            Unit::NsPerRecord | Unit::NsPerCall => time * 1e9,
            Unit::Ms => time * 1e3,
            Unit::Mib => unreachable!("a size is not measured in rounds"),
        };
        if let Ok(values) = &mut self.values {
            values.push(value);
        }
    }
}

impl Bench {
    /// Gives up: its rows say why.
    fn miss(&mut self, reason: &str) {
        self.work = Err(reason.to_owned());
        self.rows.iter_mut().for_each(|row| row.values = Err(reason.to_owned()));
    }
}

/// Measures all rows, one turn each a round. The order turns by one each round.
pub(crate) fn rounds(benches: &mut [Bench]) {
    eprintln!("warming up");
    let runs: Vec<u32> = benches.iter_mut().map(warm_up).collect();
    for round in 0..ROUNDS + WARM_UP {
        if round % 10 == 0 {
            eprintln!("round {round} of {}", ROUNDS + WARM_UP);
        }
        for at in 0..benches.len() {
            let at = (at + round) % benches.len();
            turn(&mut benches[at], runs[at], round >= WARM_UP);
        }
    }
}

fn turn(bench: &mut Bench, runs: u32, counts: bool) {
    let Ok(work) = &mut bench.work else { return };
    match work.turn(runs, bench.rows.len()) {
        Ok(times) if counts => bench.rows.iter_mut().zip(times).for_each(|(row, time)| row.note(time, runs)),
        Ok(_) => {}
        Err(reason) => bench.miss(&reason),
    }
}

/// Runs a work until it is warm; how many runs make a turn.
fn warm_up(bench: &mut Bench) -> u32 {
    let mut runs = 1;
    loop {
        let times = match &mut bench.work {
            Ok(work) => work.turn(runs, bench.rows.len()),
            Err(reason) => Err(reason.clone()),
        };
        match times {
            Ok(times) => {
                let time: Duration = times.iter().sum();
                if time >= FIRST_TURN {
                    let one = time / runs;
                    return u32::try_from(TURN.as_nanos().div_ceil(one.as_nanos().max(1))).unwrap_or(u32::MAX);
                }
                runs *= 2;
            }
            Err(reason) => {
                bench.miss(&reason);
                return 1;
            }
        }
    }
}
