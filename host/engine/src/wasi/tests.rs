//! What the virtual system promises, asked of it directly and through the component in `tests.wat`.

use std::time::Duration;

use wasmtime::component::{Component, Instance, Linker, Resource};
use wasmtime::{Config, Engine, Error, Result, Store};

use super::bindings::wasi::cli::{environment, stdin, terminal_stdout};
use super::bindings::wasi::clocks::{monotonic_clock, wall_clock};
use super::bindings::wasi::filesystem::preopens;
use super::bindings::wasi::io::poll::{Host as _, HostPollable, Pollable};
use super::bindings::wasi::io::streams::{HostInputStream as _, StreamError};
use super::bindings::wasi::random::{insecure_seed, random};
use super::bindings::wasi::sockets::{network, tcp_create_socket};
use super::output::Output;
use super::{Exit, INTERFACES, Line, Random, Settings, SleptTooLong, Stream, Wasi, add_to_linker, answers};

const NOW_MS: u64 = 1_780_000_000_123;
const HOUR_NS: u64 = 3_600_000_000_000;

fn settings() -> Settings {
    Settings { random: Random::Seeded, sleep_max: Duration::from_nanos(HOUR_NS), lines_max: 20, line_bytes_max: 100 }
}

fn wasi() -> Wasi {
    let mut wasi = Wasi::new(settings());
    wasi.begin_call(NOW_MS, 7);
    wasi
}

fn linker() -> Result<Linker<Wasi>> {
    let mut config = Config::new();
    config.concurrency_support(false);
    let mut linker = Linker::new(&Engine::new(&config)?);
    add_to_linker::<Wasi>(&mut linker, |wasi| wasi)?;
    Ok(linker)
}

/// The component of `tests.wat`, with one call begun.
struct Guest {
    store: Store<Wasi>,
    instance: Instance,
}

impl Guest {
    fn new() -> Result<Guest> {
        let linker = linker()?;
        let binary = wat::parse_str(include_str!("tests.wat")).expect("the fixture is valid");
        let component = Component::new(linker.engine(), binary)?;
        let mut store = Store::new(linker.engine(), wasi());
        let instance = linker.instantiate(&mut store, &component)?;
        Ok(Guest { store, instance })
    }

    fn call<P, R>(&mut self, name: &str, arguments: P) -> Result<R>
    where
        P: wasmtime::component::ComponentNamedList + wasmtime::component::Lower,
        R: wasmtime::component::ComponentNamedList + wasmtime::component::Lift,
    {
        let function = self.instance.get_typed_func::<P, R>(&mut self.store, name)?;
        function.call(&mut self.store, arguments)
    }
}

fn line(stream: Stream, text: &str, bytes_cut: u64) -> Line {
    Line { stream, text: text.to_owned(), bytes_cut }
}

fn texts(lines: Vec<Line>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

fn message<T>(result: Result<T>) -> String {
    result.err().map_or_else(String::new, |error: Error| error.to_string())
}

#[test]
fn every_interface_is_answered_in_any_version_0_2() -> Result<()> {
    let linker = linker()?;
    for interface in INTERFACES {
        for version in ["0.2.0", "0.2.6", "0.2.12", "0.2.40"] {
            let import = format!("{interface}@{version}");
            let text = format!(r#"(component (import "{import}" (instance)))"#);
            let component = Component::new(linker.engine(), wat::parse_str(text).expect("it is valid"))?;
            linker.instantiate_pre(&component)?;
            assert!(answers(&import), "{import}");
        }
    }
    Ok(())
}

#[test]
fn the_list_of_interfaces_is_the_world() {
    let world = include_str!("../../wasi-wit/world.wit");
    let imports: Vec<&str> =
        world.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix("@0.2.12;")).collect();
    assert_eq!(imports, INTERFACES);
}

#[test]
fn other_imports_are_not_answered() {
    for import in [
        "wasi:http/types@0.2.6",
        "wasi:clocks/timezone@0.2.6",
        "wasi:io/poll",
        "wasi:io/poll@0.3.0",
        "wasi:io/poll@0.2.0-rc-2023-11-10",
        "wasi:io/poll/more@0.2.0",
    ] {
        assert!(!answers(import), "{import}");
    }
}

#[test]
fn a_plugin_sleeps_in_no_time() -> Result<()> {
    let mut guest = Guest::new()?;
    let (slept,): (u64,) = guest.call("sleep", (HOUR_NS,))?;
    assert_eq!(slept, HOUR_NS);
    assert_eq!(guest.store.data().handles(), 0);
    Ok(())
}

#[test]
fn sleeping_too_long_is_told_apart_from_a_trap() -> Result<()> {
    for asked in [HOUR_NS + 1, u64::MAX] {
        let mut guest = Guest::new()?;
        let error = guest.call::<_, (u64,)>("sleep", (asked,)).expect_err("too long");
        let slept = error.downcast_ref::<SleptTooLong>().expect("a typed error");
        assert_eq!(slept.limit, Duration::from_secs(3600));
        assert!(slept.asked > slept.limit);
    }
    Ok(())
}

#[test]
fn exit_is_told_apart_from_a_trap() -> Result<()> {
    for status in [Ok(()), Err(())] {
        let mut guest = Guest::new()?;
        let error = guest.call::<(std::result::Result<(), ()>,), ()>("exit", (status,));
        let error = error.expect_err("exit returns never");
        let ok = status.is_ok();
        assert_eq!(error.downcast_ref::<Exit>(), Some(&Exit { ok }));
    }
    Ok(())
}

#[test]
fn an_empty_poll_ends_the_call() -> Result<()> {
    let error = Guest::new()?.call::<(), ()>("poll-nothing", ()).expect_err("no end");
    assert!(format!("{error:?}").contains("polls an empty list"), "{error:?}");
    Ok(())
}

#[test]
fn a_plugin_prints_lines() -> Result<()> {
    let mut guest = Guest::new()?;
    guest.call::<(u32,), ()>("print", (26,))?;
    guest.call::<(u32,), ()>("print", (26,))?;
    let (lines, dropped) = guest.store.data_mut().take_lines();
    let expected = ["one line", "and half a secondone line", "and half a second"];
    assert_eq!(texts(lines), expected);
    assert_eq!(dropped, 0);
    let error = guest.call::<(u32,), ()>("print", (4097,)).expect_err("beyond the permit");
    assert!(format!("{error:?}").contains("4096 are permitted"), "{error:?}");
    Ok(())
}

#[test]
fn leaked_handles_are_counted_and_bounded() -> Result<()> {
    let mut guest = Guest::new()?;
    for held in 1..=1_000 {
        guest.call::<(), ()>("leak", ())?;
        assert_eq!(guest.store.data().handles(), held);
    }
    let error = guest.call::<(), ()>("leak", ()).expect_err("one too many");
    assert!(format!("{error:?}").contains("holds 1000 WASI handles"), "{error:?}");
    Ok(())
}

#[test]
fn a_poll_wakes_at_the_earliest_deadline() -> Result<()> {
    let mut wasi = wasi();
    let began = monotonic_clock::Host::now(&mut wasi)?;
    let late = monotonic_clock::Host::subscribe_duration(&mut wasi, 50)?;
    let soon = monotonic_clock::Host::subscribe_instant(&mut wasi, began + 20)?;
    let same = monotonic_clock::Host::subscribe_duration(&mut wasi, 20)?;
    let borrow = |pollable: &Resource<Pollable>| Resource::new_borrow(pollable.rep());
    assert!(!wasi.ready(borrow(&soon))?);
    assert_eq!(wasi.poll(vec![borrow(&late), borrow(&soon), borrow(&same)])?, [1, 2]);
    assert_eq!(monotonic_clock::Host::now(&mut wasi)?, began + 20);
    assert!(wasi.ready(borrow(&soon))? && !wasi.ready(borrow(&late))?);
    // A stream is ready at once, so nobody waits for the timer beside it.
    let input = stdin::Host::get_stdin(&mut wasi)?;
    let stream = wasi.subscribe(input)?;
    assert_eq!(wasi.poll(vec![borrow(&late), borrow(&stream)])?, [1]);
    assert_eq!(monotonic_clock::Host::now(&mut wasi)?, began + 20);
    Ok(())
}

#[test]
fn a_timer_is_never_taken_for_a_later_one() -> Result<()> {
    let mut wasi = wasi();
    let first = monotonic_clock::Host::subscribe_duration(&mut wasi, 10)?;
    let rep = first.rep();
    HostPollable::drop(&mut wasi, first)?;
    wasi.begin_call(NOW_MS, 7);
    let second = monotonic_clock::Host::subscribe_duration(&mut wasi, 10)?;
    assert_ne!(second.rep(), rep);
    let stale = wasi.block(Resource::new_borrow(rep));
    assert_eq!(message(stale), "the plugin used a timer that was dropped");
    Ok(())
}

#[test]
fn time_stands_still_and_begins_anew() -> Result<()> {
    let mut wasi = wasi();
    let monotonic = monotonic_clock::Host::now(&mut wasi)?;
    for _ in 0..2 {
        let now = wall_clock::Host::now(&mut wasi)?;
        assert_eq!((now.seconds, now.nanoseconds), (1_780_000_000, 123_000_000));
        assert_eq!(monotonic_clock::Host::now(&mut wasi)?, monotonic);
    }
    let timer = monotonic_clock::Host::subscribe_duration(&mut wasi, 2_000_000_000)?;
    wasi.block(timer)?;
    assert_eq!(wall_clock::Host::now(&mut wasi)?.seconds, 1_780_000_002);
    wasi.begin_call(NOW_MS - 1_000, 7);
    assert_eq!(wall_clock::Host::now(&mut wasi)?.seconds, 1_779_999_999);
    // The monotonic clock alone goes on: it may never go back.
    assert_eq!(monotonic_clock::Host::now(&mut wasi)?, monotonic + 2_000_000_000);
    Ok(())
}

#[test]
fn any_time_of_the_host_is_a_time() -> Result<()> {
    let mut wasi = Wasi::new(Settings { sleep_max: Duration::MAX, ..settings() });
    for now_ms in [0, u64::MAX] {
        wasi.begin_call(now_ms, 0);
        assert!(wall_clock::Host::now(&mut wasi)?.seconds < 7_258_118_401);
        let timer = monotonic_clock::Host::subscribe_duration(&mut wasi, u64::MAX)?;
        wasi.block(timer)?;
    }
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_numbers() -> Result<()> {
    let draw = |seed| -> Result<_> {
        let mut wasi = wasi();
        wasi.begin_call(NOW_MS, seed);
        let bytes = random::Host::get_random_bytes(&mut wasi, 13)?;
        Ok((bytes, insecure_seed::Host::insecure_seed(&mut wasi)?))
    };
    assert_eq!(draw(1)?, draw(1)?);
    assert_ne!(draw(1)?, draw(2)?);
    assert_eq!(draw(1)?.0.len(), 13);
    Ok(())
}

#[test]
fn random_numbers_can_be_the_hosts() -> Result<()> {
    let random = Random::Host(|bytes| {
        bytes.fill(9);
        Ok(())
    });
    let mut wasi = Wasi::new(Settings { random, ..settings() });
    assert_eq!(random::Host::get_random_bytes(&mut wasi, 3)?, [9, 9, 9]);
    Ok(())
}

#[test]
fn random_bytes_are_bounded() -> Result<()> {
    let mut wasi = wasi();
    let refused = random::Host::get_random_bytes(&mut wasi, u64::MAX);
    assert!(message(refused).contains("one call may have 1048576"));
    assert_eq!(random::Host::get_random_bytes(&mut wasi, 1024 * 1024)?.len(), 1024 * 1024);
    assert!(random::Host::get_random_u64(&mut wasi).is_err());
    wasi.begin_call(NOW_MS, 7);
    random::Host::get_random_u64(&mut wasi)?;
    Ok(())
}

#[test]
fn lines_and_their_bytes_are_bounded() {
    let mut output = Output::new(2, 5);
    output.begin_call();
    output.write(Stream::Stdout, b"one\r\n123456789");
    output.write(Stream::Stderr, "aéé€\n".as_bytes());
    output.write(Stream::Stdout, b"0\ndropped\ndropped");
    let (lines, dropped) = output.take();
    let expected = [line(Stream::Stdout, "one", 0), line(Stream::Stderr, "aéé", 3)];
    assert_eq!((lines.as_slice(), dropped), (expected.as_slice(), 3));
    assert_eq!(output.take(), (vec![], 0));
    output.begin_call();
    output.write(Stream::Stderr, "abcd€".as_bytes());
    assert_eq!(output.take(), (vec![line(Stream::Stderr, "abcd", 3)], 0));
    output.write(Stream::Stderr, b"\xff\xfea");
    assert_eq!(output.take().0[0].text, "\u{fffd}\u{fffd}a");
}

#[test]
fn what_was_not_taken_is_not_the_next_calls() {
    let mut output = Output::new(2, 5);
    output.write(Stream::Stdout, b"1\n2\n3\nhalf");
    output.begin_call();
    assert_eq!(output.take(), (vec![], 0));
    output.write(Stream::Stdout, b"4\n");
    assert_eq!(texts(output.take().0), ["4"]);
}

#[test]
fn there_is_nothing_of_the_machine() -> Result<()> {
    let mut wasi = wasi();
    assert!(environment::Host::get_environment(&mut wasi)?.is_empty());
    assert!(environment::Host::get_arguments(&mut wasi)?.is_empty());
    assert!(preopens::Host::get_directories(&mut wasi)?.is_empty());
    assert!(terminal_stdout::Host::get_terminal_stdout(&mut wasi)?.is_none());
    let input = stdin::Host::get_stdin(&mut wasi)?;
    assert!(matches!(wasi.read(input, 1)?, Err(StreamError::Closed)));
    let socket = tcp_create_socket::Host::create_tcp_socket(&mut wasi, network::IpAddressFamily::Ipv4)?;
    assert!(matches!(socket, Err(network::ErrorCode::AccessDenied)));
    Ok(())
}
