//! What a notifier was told, and whether it is what was promised.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::Path,
};

use anyhow::{Context, Result};

/// Of one notifier, as far as it was read.
pub(crate) struct Journal {
    file: BufReader<File>,
    /// A line that was not written to its end.
    rest: String,
    /// The delivery id of each event: by source, then number.
    told: Vec<HashMap<usize, String>>,
    /// The highest number so far, by key.
    newest: HashMap<String, usize>,
    pub(crate) lines: usize,
    pub(crate) repeats: usize,
    pub(crate) other_ids: usize,
    pub(crate) disorder: usize,
}

impl Journal {
    pub(crate) fn open(path: &Path, sources: usize) -> Result<Self> {
        let mut file = File::open(path).with_context(|| format!("{}", path.display()))?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Self {
            file: BufReader::new(file),
            rest: String::new(),
            told: vec![HashMap::new(); sources],
            newest: HashMap::new(),
            lines: 0,
            repeats: 0,
            other_ids: 0,
            disorder: 0,
        })
    }

    /// Reads on to what is the end at the moment, and gives how many different events there were.
    pub(crate) fn read(&mut self) -> Result<usize> {
        loop {
            let mut line = std::mem::take(&mut self.rest);
            let count = self.file.read_line(&mut line)?;
            if !line.ends_with('\n') {
                self.rest = line;
                if count == 0 {
                    return Ok(self.told.iter().map(HashMap::len).sum());
                }
                continue;
            }
            self.take(line.trim_end()).with_context(|| format!("{line:?}"))?;
        }
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let mut words = line.split('\t');
        let (source, id) = (words.next().context("no source")?, words.next().context("no id")?);
        let (delivery, key) =
            (words.next().context("no delivery")?, words.next().context("no key")?);
        let source: usize = source.strip_prefix("/bench/").context("a strange source")?.parse()?;
        let number: usize = id.parse()?;
        let told = self.told.get_mut(source).context("an unknown source")?;
        self.lines += 1;
        if let Some(first) = told.get(&number) {
            self.repeats += 1;
            self.other_ids += usize::from(first != delivery);
            return Ok(());
        }
        told.insert(number, delivery.to_owned());
        match self.newest.get_mut(key) {
            Some(newest) if *newest > number => self.disorder += 1,
            Some(newest) => *newest = number,
            None => drop(self.newest.insert(key.to_owned(), number)),
        }
        Ok(())
    }

    /// Delivery ids that stand for more than one event.
    pub(crate) fn shared_ids(&self) -> usize {
        let all: usize = self.told.iter().map(HashMap::len).sum();
        let ids = self.told.iter().flat_map(HashMap::values);
        let different: std::collections::HashSet<&String> = ids.collect();
        all - different.len()
    }
}
