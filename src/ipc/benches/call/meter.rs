//! What a measurement takes down: time of each call, processor time and memory of both processes.

use std::fs;
use std::time::{Duration, Instant};

/// The system counts processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A line of the table.
pub struct Row {
    times: Vec<Duration>,
    wall: Duration,
    cpu: Duration,
    /// Most memory of ours and of the other process, in kilobytes.
    memory: [u64; 2],
}

/// Measures what this process and another do.
pub struct Meter {
    pids: Vec<u32>,
    cpu: Duration,
    start: Instant,
}

impl Meter {
    /// Starts to measure this process and `other`.
    pub fn start(other: u32) -> Meter {
        let pids = vec![std::process::id(), other];
        for pid in &pids {
            // Has the peak counted from now on.
            let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
        }
        Meter { cpu: pids.iter().map(|pid| cpu(*pid)).sum(), pids, start: Instant::now() }
    }

    /// Ends the measurement of calls that took these times.
    pub fn end(self, mut times: Vec<Duration>) -> Row {
        let wall = self.start.elapsed();
        let cpu = self.pids.iter().map(|pid| cpu(*pid)).sum::<Duration>().saturating_sub(self.cpu);
        times.sort_unstable();
        Row { times, wall, cpu, memory: [peak(self.pids[0]), peak(self.pids[1])] }
    }
}

impl Row {
    /// What stands above a table.
    pub fn head() -> String {
        format!(
            "{:>10} {:>10} {:>10} {:>10} {:>13}  {}",
            "median us",
            "p99 us",
            "CPU us",
            "calls/s",
            "peak MB",
            "both processes; CPU is per call, peak is ours+theirs"
        )
    }

    /// Returns the median.
    pub fn median(&self) -> Duration {
        self.times[self.times.len() / 2]
    }

    /// Prints the line.
    pub fn print(&self, name: &str) {
        let calls = self.times.len();
        let micros = |time: Duration| time.as_nanos() as f64 / 1000.0;
        let [ours, theirs] = self.memory.map(|kilobytes| kilobytes as f64 / 1024.0);
        println!(
            "{:10.1} {:10.1} {:10.1} {:10.0} {:>13}  {name}",
            micros(self.median()),
            micros(self.times[calls * 99 / 100]),
            micros(self.cpu) / calls as f64,
            calls as f64 / self.wall.as_secs_f64(),
            format!("{ours:.1}+{theirs:.1}"),
        );
    }
}

/// Runs `round` so many times, after a tenth as many to warm up.
pub fn rounds(other: u32, count: usize, mut round: impl FnMut()) -> Row {
    for _ in 0..count / 10 {
        round();
    }
    let meter = Meter::start(other);
    let times = (0..count).map(|_| timed(&mut round)).collect();
    meter.end(times)
}

/// Returns how long `round` takes.
pub fn timed(round: impl FnOnce()) -> Duration {
    let start = Instant::now();
    round();
    start.elapsed()
}

fn cpu(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name before may have spaces.
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    TICK * (fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap())
}

fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
