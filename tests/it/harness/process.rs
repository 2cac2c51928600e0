//! An agent as the kernel sees it: its memory and its threads.

use super::agent::Agent;

impl Agent {
    /// The most that it ever had resident, in KiB.
    #[track_caller]
    pub fn most_resident_kib(&self) -> u64 {
        let status = self.proc("status");
        let most = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let word = most.and_then(|most| most.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).expect("a number")
    }

    /// How many heaps of glibc it has beside the main one: each is 64 MiB of addresses, of which the
    /// beginning can be written.
    #[track_caller]
    pub fn heaps(&self) -> usize {
        const EACH: u64 = 64 * 1024 * 1024;
        let maps = self.proc("maps");
        let begins = |line: &&str| -> bool {
            let mut words = line.split_whitespace();
            let at = words.next().and_then(|range| range.split('-').next());
            let at = at.and_then(|at| u64::from_str_radix(at, 16).ok());
            let kind = (words.next(), words.nth(3));
            at.is_some_and(|at| at % EACH == 0) && kind == (Some("rw-p"), None)
        };
        maps.lines().filter(begins).count()
    }

    /// How often its thread of this name has waited for something.
    #[track_caller]
    pub fn turns_of(&self, thread: &str) -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        let statuses = tasks.expect("a process that runs has threads").flatten();
        let statuses =
            statuses.filter_map(|t| std::fs::read_to_string(t.path().join("status")).ok());
        let name = format!("Name:\t{thread}\n");
        let of_it = statuses.filter(|status| status.starts_with(&name));
        let turns = |status: String| -> Option<u64> {
            let mut lines = status.lines();
            let line = lines.find_map(|l| l.strip_prefix("voluntary_ctxt_switches:"));
            line?.trim().parse().ok()
        };
        of_it.filter_map(turns).sum()
    }

    #[track_caller]
    fn proc(&self, file: &str) -> String {
        let path = format!("/proc/{}/{file}", self.pid());
        std::fs::read_to_string(path).expect("a process that runs can be looked at")
    }
}
