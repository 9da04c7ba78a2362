//! Requests of two runs, matched by source and number.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::Path;
use std::rc::Rc;

use indexmap::IndexSet;
use meshquake_reports::comparison::{Change, RequestChange, RequestChanges, RequestSide};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A latency has changed when it differs by more than this share of itself…
const SHARE: f64 = 0.05;

/// …and by more than this: a tenth of a millisecond is what a hop costs, and nobody waits for it.
const NANOS: u64 = 100_000;

/// What is known of the requests of a run.
#[derive(Debug, Default)]
pub(super) struct Requests {
    sources: IndexSet<Box<str>>,
    flags: IndexSet<Box<str>>,
    seen: BTreeMap<(u32, u64), Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    intended_ns: u64,
    latency_ns: Option<u64>,
    succeeded: Option<bool>,
    status: Option<u16>,
    flags: u32,
    attempts: u32,
}

/// The part of a line of the request log that is compared.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    traffic: Cow<'a, str>,
    sequence: u64,
    intended_ns: u64,
    succeeded: Option<bool>,
    status: Option<u16>,
    #[serde(borrow)]
    flags: Cow<'a, str>,
    latency_ns: Option<u64>,
    attempts: Vec<IgnoredAny>,
}

impl Requests {
    fn add(&mut self, line: &[u8]) -> serde_json::Result<()> {
        let line: Line<'_> = serde_json::from_slice(line)?;
        let source = index(&mut self.sources, &line.traffic);
        let seen = Seen {
            intended_ns: line.intended_ns,
            latency_ns: line.latency_ns,
            succeeded: line.succeeded,
            status: line.status,
            flags: index(&mut self.flags, &line.flags),
            attempts: u32::try_from(line.attempts.len()).unwrap_or(u32::MAX),
        };
        self.seen.insert((source, line.sequence), seen);
        Ok(())
    }

    fn told(&self, seen: &Seen) -> RequestSide {
        RequestSide {
            status: seen.status,
            flags: self
                .flags
                .get_index(seen.flags as usize)
                .map_or_else(String::new, |f| f.to_string()),
            attempts: u64::from(seen.attempts),
            latency_ns: seen.latency_ns,
        }
    }
}

fn index(names: &mut IndexSet<Box<str>>, name: &str) -> u32 {
    let index = match names.get_index_of(name) {
        Some(index) => index,
        None => names.insert_full(name.into()).0,
    };
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// What a run writes its request log to.
pub(super) struct Sink {
    requests: Handle,
    /// The beginning of a line whose end has not been written yet.
    begun: Vec<u8>,
}

/// The requests behind a [`Sink`].
#[derive(Clone, Default)]
pub(super) struct Handle(Rc<RefCell<Requests>>);

impl Handle {
    pub(super) fn take(&self) -> Requests {
        self.0.take()
    }
}

impl Sink {
    pub(super) fn new() -> (Self, Handle) {
        let requests = Handle::default();
        let sink = Self {
            requests: requests.clone(),
            begun: Vec::new(),
        };
        (sink, requests)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if self.begun.last() == Some(&b'\n') {
                self.requests.0.borrow_mut().add(&self.begun)?;
                self.begun.clear();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the request log of a recorded run.
pub(super) fn read(path: &Path) -> Result<Requests, String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", path.display());
    let mut reader = BufReader::new(File::open(path).map_err(cannot)?);
    let mut requests = Requests::default();
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(cannot)? == 0 {
            break;
        }
        requests
            .add(&line)
            .map_err(|error| format!("{}:{number} is no request: {error}", path.display()))?;
    }
    Ok(requests)
}

/// Matches the requests of two runs, and picks `samples` of those that changed. What `a` knows is used up.
pub(super) fn compare(
    a: &mut Requests,
    b: &Requests,
    samples: usize,
) -> (Vec<RequestChanges>, Vec<RequestChange>) {
    let mut changes: BTreeMap<&str, RequestChanges> = BTreeMap::new();
    let mut sample = Sample::new(samples);
    let source_in_a = |name: &str| {
        a.sources
            .get_index_of(name)
            .and_then(|at| u32::try_from(at).ok())
    };
    let mut before = std::mem::take(&mut a.seen);
    for ((source, sequence), after) in &b.seen {
        let Some(name) = b.sources.get_index(*source as usize) else {
            continue;
        };
        let of = changes.entry(name).or_default();
        let Some(first) = source_in_a(name).and_then(|source| before.remove(&(source, *sequence)))
        else {
            of.only_b += 1;
            continue;
        };
        let change = count(of, &first, after);
        if let Some(change) = change {
            let size = first
                .latency_ns
                .unwrap_or(0)
                .abs_diff(after.latency_ns.unwrap_or(0));
            sample.offer(change, size, || RequestChange {
                traffic: name.to_string(),
                sequence: *sequence,
                intended_ns: first.intended_ns,
                change,
                a: a.told(&first),
                b: b.told(after),
            });
        }
    }
    for (source, _) in before.keys() {
        if let Some(name) = a.sources.get_index(*source as usize) {
            changes.entry(name).or_default().only_a += 1;
        }
    }
    let named = changes.into_iter().map(|(name, changes)| RequestChanges {
        traffic: name.to_owned(),
        ..changes
    });
    (named.collect(), sample.told())
}

/// Counts a request that both made, and says how it changed.
fn count(changes: &mut RequestChanges, a: &Seen, b: &Seen) -> Option<Change> {
    changes.matched += 1;
    changes.moved += u64::from(a.intended_ns != b.intended_ns);
    let (counter, change) = match (a.succeeded, b.succeeded) {
        (Some(false), Some(true)) => (&mut changes.saved, Some(Change::Saved)),
        (Some(true), Some(false)) => (&mut changes.lost, Some(Change::Lost)),
        (Some(false), Some(false)) => (&mut changes.failed, None),
        (None, _) | (_, None) => (&mut changes.unknown, None),
        (Some(true), Some(true)) => match (a.latency_ns, b.latency_ns) {
            (Some(x), Some(y)) if differs(x, y) && y < x => {
                (&mut changes.faster, Some(Change::Faster))
            }
            (Some(x), Some(y)) if differs(x, y) => (&mut changes.slower, Some(Change::Slower)),
            _ => (&mut changes.same, None),
        },
    };
    *counter += 1;
    change
}

fn differs(a: u64, b: u64) -> bool {
    let difference = a.abs_diff(b);
    difference > NANOS && difference as f64 > SHARE * a as f64
}

/// The requests that changed most of each kind.
struct Sample {
    each: usize,
    kept: BTreeMap<Change, Vec<(u64, RequestChange)>>,
}

impl Sample {
    /// `total` requests, if two kinds have half of them each.
    fn new(total: usize) -> Self {
        Self {
            each: total.div_ceil(2),
            kept: BTreeMap::new(),
        }
    }

    fn offer(&mut self, change: Change, size: u64, request: impl FnOnce() -> RequestChange) {
        let kept = self.kept.entry(change).or_default();
        let full = kept.len() >= self.each;
        if self.each == 0 || (full && kept.last().is_some_and(|(least, _)| *least >= size)) {
            return;
        }
        let at = kept.partition_point(|(other, _)| *other >= size);
        kept.insert(at, (size, request()));
        kept.truncate(self.each);
    }

    fn told(self) -> Vec<RequestChange> {
        let requests = self
            .kept
            .into_values()
            .flatten()
            .map(|(_, request)| request);
        requests.take(self.each * 2).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(sequence: u64, succeeded: &str, latency: &str) -> String {
        format!(
            "{{\"traffic\":\"users\",\"sequence\":{sequence},\"intended_ns\":5,\"succeeded\":{succeeded},\
             \"status\":200,\"flags\":\"-\",\"latency_ns\":{latency},\"attempts\":[{{}},{{}}]}}\n"
        )
    }

    fn requests(lines: &[String]) -> Requests {
        let (mut sink, handle) = Sink::new();
        // In pieces, as a buffered writer passes them on.
        for piece in lines.concat().as_bytes().chunks(7) {
            sink.write_all(piece).unwrap();
        }
        handle.take()
    }

    #[test]
    fn each_request_is_compared_with_itself() {
        let mut a = requests(&[
            line(0, "true", "1000000"),
            line(1, "false", "2000000"),
            line(2, "true", "3000000"),
            line(3, "true", "3000000"),
            line(4, "true", "3000000"),
            line(5, "false", "1"),
            line(6, "null", "null"),
            line(7, "true", "1"),
        ]);
        let b = requests(&[
            line(0, "true", "1040000"),
            line(1, "true", "1000000"),
            line(2, "false", "9000000"),
            line(3, "true", "2000000"),
            line(4, "true", "4000000"),
            line(5, "false", "1"),
            line(6, "true", "1"),
            line(8, "true", "1"),
        ]);
        let (changes, sample) = compare(&mut a, &b, 4);
        let expected = RequestChanges {
            traffic: "users".into(),
            matched: 7,
            saved: 1,
            lost: 1,
            faster: 1,
            slower: 1,
            same: 1,
            failed: 1,
            unknown: 1,
            only_a: 1,
            only_b: 1,
            moved: 0,
        };
        assert_eq!(changes, [expected]);
        let told: Vec<_> = sample
            .iter()
            .map(|request| (request.change, request.sequence))
            .collect();
        let all = [
            (Change::Lost, 2),
            (Change::Saved, 1),
            (Change::Slower, 4),
            (Change::Faster, 3),
        ];
        assert_eq!(told, all);
        assert_eq!(sample[0].a.attempts, 2);
    }

    #[test]
    fn a_change_is_a_share_and_an_amount() {
        assert!(!differs(1_000_000, 1_099_000), "less than 0.1 ms");
        assert!(!differs(100_000_000, 104_000_000), "4 %");
        assert!(differs(1_000_000, 1_101_000));
    }
}
