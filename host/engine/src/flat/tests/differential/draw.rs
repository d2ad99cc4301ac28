//! What random modules are made of: texts, addresses, numbers, and draws from a seed.

/// Texts that modules have at 1,024 and every 64 bytes from there: good paths, patterns, and what is neither.
pub(super) const TEXTS: [&str; 36] = [
    "a",
    "b",
    "n",
    "f",
    "t",
    "z",
    "o",
    "o.k",
    "list",
    "list[0]",
    "missing",
    "",
    "new",
    "new.deep.er",
    "o.new",
    "list[1]",
    "o.*",
    "list[*]",
    "*",
    "list[*].k",
    "a..b",
    "[",
    "\\\"q",
    "list[99]",
    "\\ff\\fe",
    "\\c3",
    "\\ed\\a0\\80",
    "\\c0\\80",
    "\\c3\\a4\\e2\\82\\ac",
    "one.txt",
    "two",
    "{\\\"j\\\":1}",
    "[1,",
    "1e999",
    "\\\"\\5cud800\\\"",
    "a\\00b",
];
/// How many of them are good paths, and how many are good paths or patterns.
pub(super) const PATHS: usize = 16;
pub(super) const PATTERNS: usize = 20;

/// Addresses that hostile modules use: good ones, unaligned ones, and those at both ends of memory, which has 8 pages.
pub(super) const ADDRESSES: [u32; 20] = [
    0,
    1,
    2,
    4,
    256,
    257,
    258,
    260,
    1_026,
    0x7_FFE8,
    0x7_FFF0,
    0x7_FFF4,
    0x7_FFF8,
    0x7_FFFC,
    0x7_FFFE,
    0x7_FFFF,
    0x8_0000,
    0x8_0001,
    0xFFFF_FFF8,
    u32::MAX,
];

/// Ranges that hostile modules pass as texts.
pub(super) const RANGES: [(u32, u32); 18] = [
    (8_192, 5_000),
    (8_192, 4_096),
    (8_192, 4_097),
    (0x7_FFFE, 2),
    (0x7_FFFE, 3),
    (0x8_0000, 0),
    (0x8_0000, 1),
    (0x8_0001, 0),
    (u32::MAX, 0),
    (u32::MAX, 1),
    (0xFFFF_FFFC, 4),
    (0xFFFF_FFFC, 8),
    (8, u32::MAX),
    (0, 0x8_0000),
    (0, 0x8_0001),
    (0, 64),
    (1, 0),
    (1_024, 0x8000_0000),
];

/// Numbers for tags: those that some type has, and those that none has.
pub(super) const TAGS: [u32; 9] = [0, 1, 2, 3, 4, 6, 255, 256, u32::MAX];

/// Numbers as plugins pass them, also as bits of a fraction: 1, -1, not a number, infinity, -0.
pub(super) const PAYLOADS: [u64; 8] =
    [0, 1, u64::MAX, 0x7FF8_0000_0000_0001, 0x7FF0_0000_0000_0000, 1 << 63, 0x1_0000_0000, 42];

/// Handles that nobody was given, far from those that are.
pub(super) const FORGED: [&str; 5] = [
    "(i32.const 0)",
    "(i32.const -1)",
    "(i32.add (global.get $h0) (i32.const 200000))",
    "(i32.or (global.get $h0) (i32.const 0x80000000))",
    "(i32.or (global.get $h0) (i32.const 0x10000000))",
];

/// Draws from a seed.
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Draw {
        let mut draw = Draw(seed);
        draw.below(1);
        draw
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (self.0 >> 33) as usize % bound
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub(super) fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// A loop that never ends, of many instructions that come to nothing: it takes fuel, and hardly any time.
pub(super) fn endless() -> String {
    format!("(loop $ever {} (br $ever))", "(drop (i32.const 0))".repeat(500))
}

/// Where a text stands, and its bytes.
pub(super) fn place(at: usize) -> (u32, u32) {
    let text = TEXTS[at];
    let length = wat_length(text);
    (1_024 + 64 * at as u32, length)
}

/// Bytes of a text as WAT writes it: a backslash stands before two digits or one character.
fn wat_length(text: &str) -> u32 {
    let mut characters = text.chars();
    let mut length = 0;
    while let Some(character) = characters.next() {
        length += 1;
        if character == '\\' && characters.next().is_some_and(|next| next.is_ascii_hexdigit()) {
            characters.next();
        }
    }
    length
}
