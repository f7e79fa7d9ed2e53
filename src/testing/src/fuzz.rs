//! A bounded run of a fuzz target on a stable compiler: its seeds from `fuzz/corpus`, and what they become when bytes of
//! them are changed, moved and cut, the same each time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Bytes that decoders tend to get wrong.
const INTERESTING: [u8; 8] = [0, 1, 0x7f, 0x80, 0xfc, 0xfd, 0xfe, 0xff];
/// Most changes to one input.
const MAX_CHANGES: u64 = 6;

/// Runs a target on each of its seeds and on `mutations` inputs made of them. Returns the names of the seeds.
///
/// # Panics
///
/// When the target does, after printing the input; or when it has no seeds.
pub fn drive(target: &str, mutations: usize, mut run: impl FnMut(&[u8])) -> Vec<String> {
    let seeds = seeds(target);
    assert!(!seeds.is_empty(), "{target} has seeds");
    let mut try_one = |input: &[u8], what: &str| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
            eprintln!("{target} failed on {what}: {}", hex(input));
            resume_unwind(panic);
        }
    };
    for (name, seed) in &seeds {
        try_one(seed, name);
    }
    let mut random = Random(mutations as u64);
    for turn in 0..mutations {
        let (name, seed) = &seeds[turn % seeds.len()];
        let (_, other) = &seeds[random.below(seeds.len())];
        let mut input = seed.clone();
        for _ in 0..=random.next() % MAX_CHANGES {
            change(&mut input, other, &mut random);
        }
        try_one(&input, &format!("mutation {turn} of {name}"));
    }
    seeds.into_iter().map(|(name, _)| name).collect()
}

/// The seeds of a target, by name and in its order.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut seeds: Vec<_> = files
        .map(|file| file.unwrap())
        .map(|file| (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).unwrap()))
        .collect();
    seeds.sort();
    seeds
}

/// Makes one change.
fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(input.len() + 1);
    let end = (at + random.below(16)).min(input.len());
    match random.next() % 8 {
        0 => input.truncate(at),
        1 => drop(input.drain(at..end)),
        2 => drop(input.splice(at..at, input[at..end].to_vec())),
        3 => input.insert(at, INTERESTING[random.below(INTERESTING.len())]),
        4 => {
            let from = random.below(other.len() + 1);
            let to = (from + random.below(64)).min(other.len());
            input.splice(at..at, other[from..to].iter().copied());
        }
        kind => {
            if let Some(byte) = input.get_mut(at) {
                *byte = match kind {
                    5 => INTERESTING[random.below(INTERESTING.len())],
                    6 => *byte ^ (1 << random.below(8)),
                    _ => random.next() as u8,
                };
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}
