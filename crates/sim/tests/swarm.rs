//! Worlds drawn from seeds.

use std::sync::atomic::AtomicBool;

use mingle_sim::swarm::{draw, sweep};

#[test]
fn two_hundred_worlds_go_well() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut worst = (0.0, 0);
    let swept = sweep(1..201, threads, &AtomicBool::new(false), |ran| {
        let after = ran.outcome.agreed_after.unwrap_or_default();
        if after > worst.0 {
            worst = (after, ran.seed);
        }
    });
    if let Some((seed, scenario, trouble)) = swept.failed {
        panic!("seed {seed}: {trouble:?}\n{}", scenario.to_toml());
    }
    assert_eq!(swept.ran, 200);
    println!("the slowest to agree: seed {} after {:.1} s", worst.1, worst.0);
}

#[test]
fn a_seed_gives_the_same_world_twice() {
    for seed in 1000..1040 {
        let scenario = draw(seed);
        let (first, second) = (scenario.run(seed).unwrap(), scenario.run(seed).unwrap());
        assert_eq!(first.transcript, second.transcript, "seed {seed}");
        assert_eq!(first.inputs, second.inputs, "seed {seed}");
    }
}
