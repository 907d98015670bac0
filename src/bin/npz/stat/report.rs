//! The figures of a column, as a row of the table and as JSON.

use npzmap::{DatetimeUnit, Escaped, Header, Kind};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::bins::{Bins, sparkline};
use super::column::Column;
use super::figures::{Distinct, Figures};
use crate::console::Style;
use crate::date::date;
use crate::json::number;
use crate::row::tuple;
use crate::table::Cell;

pub(super) const COLUMNS: &[&str] =
    &["key", "dtype", "shape", "count", "min", "max", "mean", "std", "nan", "inf", "zeros", "histogram"];
pub(super) const BINS: &[&str] = &["key", "from", "to", "count", "bar"];

pub(super) struct Report {
    column: Column,
    /// Of elements, NaN and the like among them.
    count: u64,
    figures: Figures,
    pub(super) histogram: Option<(Bins, Vec<u64>)>,
}

/// An object, its members in the order in which they are read best.
pub(super) struct Document(pub(super) Vec<(&'static str, Value)>);

impl Document {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|member| member.0 == name).map(|member| &member.1)
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The row of what has no figures.
pub(super) fn error(key: &str, style: Style) -> Vec<Cell> {
    let mut row = vec![Cell::new(Escaped(key).to_string(), Style::Plain), Cell::new("error", style)];
    row.extend(COLUMNS.iter().skip(2).map(|_| Cell::from("-")));
    row
}

impl Report {
    pub(super) fn new(header: &Header, column: Column, figures: Figures) -> Self {
        let count = (header.count() as u64).saturating_mul(column.count as u64);
        Report { count, column, figures, histogram: None }
    }

    /// What the reader of the figures has to know.
    pub(super) fn warning(&self) -> Option<String> {
        let beyond = match &self.figures {
            Figures::Reals(reals) => reals.beyond,
            Figures::Complex(complex) => complex.beyond,
            _ => 0,
        };
        (beyond > 0)
            .then(|| format!("{beyond} long doubles are beyond the range of f64, whose greatest is taken for them"))
    }

    /// What a histogram goes from and to.
    pub(super) fn bounds(&self) -> Option<(f64, f64)> {
        match &self.figures {
            Figures::Reals(reals) => reals.range,
            Figures::Complex(complex) => complex.range,
            Figures::Wholes(wholes) if self.kind() != Kind::Bool => {
                wholes.range.map(|(least, most)| (least as f64, most as f64))
            }
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        self.column.scalar.kind()
    }

    fn unit(&self) -> Option<DatetimeUnit> {
        self.column.scalar.unit()
    }

    /// An integer in the form that its dtype has.
    fn whole(&self, value: i128) -> Value {
        match (self.kind(), self.unit()) {
            (Kind::Bool, _) => Value::Bool(value != 0),
            (Kind::Datetime, Some(unit)) => {
                i64::try_from(value).map_or(Value::Null, |value| date(value, Some(unit)).into())
            }
            _ => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                _ => number(value as f64),
            },
        }
    }

    fn text(&self, codes: &[u32]) -> String {
        match self.kind() {
            Kind::Bytes => {
                let bytes: Vec<u8> = codes.iter().map(|code| *code as u8).collect();
                crate::text::text(&bytes, &self.column.scalar).unwrap_or_default()
            }
            _ => codes.iter().map(|code| char::from_u32(*code).unwrap_or(char::REPLACEMENT_CHARACTER)).collect(),
        }
    }

    pub(super) fn json(&self, header: &Header, key: &str) -> Document {
        let real = |value: Option<f64>| value.map_or(Value::Null, number);
        let mut document = Document(Vec::new());
        let mut put = |name, value| document.0.push((name, value));
        put("key", key.into());
        put("field", self.column.field(header.dtype()).into());
        put("dtype", self.column.scalar.to_string().into());
        put("shape", json!(header.shape()));
        put("count", self.count.into());
        match &self.figures {
            Figures::Reals(reals) => {
                put("min", real(reals.range.map(|range| range.0)));
                put("max", real(reals.range.map(|range| range.1)));
                put("mean", real(reals.moments.mean()));
                put("std", real(reals.moments.std()));
                put("nan", reals.nan.into());
                put("infinite", json!([reals.negative, reals.positive]));
                put("zeros", reals.zeros.into());
            }
            Figures::Complex(complex) => {
                put("min", real(complex.range.map(|range| range.0)));
                put("max", real(complex.range.map(|range| range.1)));
                let mean = complex.re.mean().zip(complex.im.mean());
                put("mean", mean.map_or(Value::Null, |(re, im)| vec![number(re), number(im)].into()));
                put("std", real(complex.std()));
                put("nan", complex.nan.into());
                put("infinite", complex.infinite.into());
                put("zeros", complex.zeros.into());
            }
            Figures::Wholes(wholes) => {
                put("min", wholes.range.map_or(Value::Null, |range| self.whole(range.0)));
                put("max", wholes.range.map_or(Value::Null, |range| self.whole(range.1)));
                let mean = match self.kind() {
                    Kind::Datetime => wholes.floor().map_or(Value::Null, |mean| self.whole(mean)),
                    _ => real(wholes.mean()),
                };
                put("mean", mean);
                put("std", real(wholes.std()));
                match self.kind() {
                    Kind::Bool => {
                        put("true", (wholes.count - wholes.zeros).into());
                        put("false", wholes.zeros.into());
                    }
                    Kind::Datetime => put("nat", wholes.nat.into()),
                    Kind::Timedelta => {
                        put("nat", wholes.nat.into());
                        put("zeros", wholes.zeros.into());
                    }
                    _ => put("zeros", wholes.zeros.into()),
                }
            }
            Figures::Texts(texts) => {
                let range = texts.range.as_ref();
                put("min", range.map(|range| self.text(&range.0)).into());
                put("max", range.map(|range| self.text(&range.1)).into());
                put("empty", texts.empty.into());
                put("shortest", texts.lengths.map(|lengths| lengths.0).into());
                put("longest", texts.lengths.map(|lengths| lengths.1).into());
                let distinct = match &texts.distinct {
                    Distinct::Few { texts, .. } => Some(texts.len()),
                    Distinct::Many => None,
                };
                put("distinct", distinct.into());
            }
            Figures::Opaque => {}
        }
        let histogram = self
            .histogram
            .as_ref()
            .map(|(bins, counts)| json!({ "edges": bins.edges().map(number).collect::<Vec<_>>(), "counts": counts }));
        put("histogram", histogram.into());
        document
    }

    fn name(&self, header: &Header, key: &str) -> Cell {
        let name = match &self.column.field(header.dtype()) {
            Some(field) => format!("{key}.{field}"),
            None => key.to_owned(),
        };
        Escaped(&name).to_string().into()
    }

    pub(super) fn row(&self, header: &Header, key: &str) -> Vec<Cell> {
        let document = self.json(header, key);
        let cell = |name: &str| document.get(name).map_or("-".into(), short);
        let either =
            |names: &[&str]| names.iter().map(|name| cell(name)).find(|text| text != "-").unwrap_or("-".into());
        let (infinite, mean) = match &self.figures {
            Figures::Reals(reals) => ((reals.positive + reals.negative).to_string(), cell("mean")),
            Figures::Complex(complex) => (complex.infinite.to_string(), complex_mean(&document)),
            _ => ("-".into(), cell("mean")),
        };
        let marked = |text: String| {
            let style = if text == "0" || text == "-" { Style::Plain } else { Style::Notable };
            Cell::new(text, style)
        };
        vec![
            self.name(header, key),
            self.column.scalar.to_string().into(),
            tuple(header.shape()).into(),
            self.count.to_string().into(),
            cell("min").into(),
            cell("max").into(),
            mean.into(),
            cell("std").into(),
            marked(either(&["nan", "nat"])),
            marked(infinite),
            either(&["zeros", "false", "empty"]).into(),
            self.last().into(),
        ]
    }

    /// The distribution, in the room of one cell.
    fn last(&self) -> String {
        match (&self.histogram, &self.figures) {
            (Some((_, counts)), _) => sparkline(counts),
            (None, Figures::Wholes(wholes)) if self.kind() == Kind::Bool => {
                format!("true {}", wholes.count - wholes.zeros)
            }
            (None, Figures::Texts(texts)) => {
                let Some((shortest, longest)) = texts.lengths else { return "-".into() };
                let distinct = match &texts.distinct {
                    Distinct::Few { texts, .. } => texts.len().to_string(),
                    Distinct::Many => format!("more than {}", texts.count.min(Distinct::MOST as u64)),
                };
                format!("lengths {shortest} to {longest}, distinct {distinct}")
            }
            _ => "-".into(),
        }
    }

    /// A row for each bin; with a bar on a terminal.
    pub(super) fn bins(&self, header: &Header, key: &str, terminal: bool) -> impl Iterator<Item = Vec<Cell>> {
        const WIDTH: u128 = 40;
        self.histogram.iter().flat_map(move |(bins, counts)| {
            let most = u128::from(counts.iter().copied().max().unwrap_or(0)).max(1);
            let edges: Vec<f64> = bins.edges().collect();
            counts.iter().enumerate().map(move |(index, count)| {
                let edges = edges.get(index..index + 2).unwrap_or_default().iter();
                let edges =
                    edges.map(|edge| Cell::from(if terminal { short(&number(*edge)) } else { format!("{edge:?}") }));
                let length = (u128::from(*count) * WIDTH).div_ceil(most) as usize;
                let bar = if terminal { "█".repeat(length) } else { length.to_string() };
                let name = std::iter::once(self.name(header, key));
                name.chain(edges).chain([count.to_string().into(), bar.into()]).collect()
            })
        })
    }
}

fn complex_mean(document: &Document) -> String {
    let Some([re, im]) = document.get("mean").and_then(Value::as_array).map(Vec::as_slice) else { return "-".into() };
    let im = short(im);
    let sign = if im.starts_with('-') { "" } else { "+" };
    format!("{}{sign}{im}j", short(re))
}

/// Six digits of a number, as C's `%g` prints them; 24 characters of a text.
pub(crate) fn short(value: &Value) -> String {
    const LONGEST: usize = 24;
    match value {
        Value::Null => "-".into(),
        Value::Bool(value) => if *value { "True" } else { "False" }.into(),
        Value::Number(value) if value.is_f64() => general(value.as_f64().unwrap_or(f64::NAN)),
        Value::Number(value) => value.to_string(),
        Value::String(text) => {
            let text = Escaped(text).to_string();
            match text.char_indices().nth(LONGEST) {
                Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
                None if text.is_empty() => "''".into(),
                None => text,
            }
        }
        other => other.to_string(),
    }
}

/// As `%g`: six digits, an exponent where it would be below -4 or above 5.
pub(crate) fn general(value: f64) -> String {
    rounded(value, 6)
}

/// The same with fewer digits, up to six.
pub(crate) fn rounded(value: f64, digits: i32) -> String {
    const DIGITS: i32 = 6;
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { format!("{value}") };
    }
    let scientific = format!("{value:.*e}", digits as usize - 1);
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let bare = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..DIGITS).contains(&exponent) => {
            bare(&format!("{value:.*}", (digits - 1 - exponent).max(0) as usize))
        }
        _ => format!("{}e{exponent}", bare(mantissa)),
    }
}
