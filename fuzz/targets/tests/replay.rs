//! The corpus, and what has been found with it, without a fuzzer.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mingle_fuzz_targets::TARGETS;

/// What takes longer than this is a way to keep a node busy. Far above the slowest seen.
const SLOW: Duration = Duration::from_secs(1);

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{} can't be read: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

#[test]
fn every_target_takes_its_corpus_without_a_panic_and_in_time() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "the corpus of {name} is empty");
        for file in files {
            let data = std::fs::read(&file).expect("readable");
            println!("{}", file.display());
            let start = Instant::now();
            target(&data);
            let took = start.elapsed();
            assert!(took < SLOW, "{} takes {took:?}", file.display());
        }
    }
}

#[test]
fn every_target_takes_nothing_and_a_byte_of_each_value() {
    for (_, target) in TARGETS {
        target(&[]);
        for byte in 0..=255 {
            target(&[byte]);
        }
    }
}

#[test]
fn every_corpus_is_small_enough_for_the_tree() {
    for (name, _) in TARGETS {
        let files = corpus(name);
        let bytes: u64 = files.iter().map(|file| file.metadata().expect("readable").len()).sum();
        assert!(
            files.len() < 500 && bytes < 1 << 20,
            "{name}: {} files, {bytes} bytes",
            files.len()
        );
    }
}
