//! `npz plot`: pictures, held against what is known to be at their places.

use std::fs;

use ndarray::{Array1, Array2, Array3};
use npzmap::{Save, savez};

use crate::run::{Folder, fine, npz, outcome, run};

/// Where the axes meet above: the first pixel of the first cell.
const LEFT: usize = 84;
const TOP: usize = 64;

struct Pixels {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    fn read(path: &str) -> Self {
        let file = std::io::BufReader::new(fs::File::open(path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Pixels { width: info.width as usize, height: info.height as usize, bytes }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let start = (y * self.width + x) * 3;
        self.bytes[start..start + 3].try_into().unwrap()
    }

    /// The uppermost pixel of data in each column.
    fn tops(&self) -> Vec<Option<usize>> {
        const INK: [u8; 3] = [31, 119, 180];
        (0..self.width).map(|x| (TOP..self.height).find(|y| self.at(x, *y) == INK)).collect()
    }
}

fn drawn(args: &[&str]) -> Pixels {
    let folder = Folder::new();
    let path = folder.at("out.png");
    fine(["plot", "-o", &path].iter().chain(args));
    assert_eq!(folder.names(), ["out.png"]);
    Pixels::read(&path)
}

#[test]
fn an_image_has_its_own_colours_cell_by_cell() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let image = Array3::from_shape_fn((2, 3, 3), |(row, column, channel)| (row * 100 + column * 10 + channel) as u8);
    savez(&path, [("image", &image as &dyn Save)]).unwrap();
    let found = drawn(&["--size", "384x300", &path, "image"]);
    assert_eq!((found.width, found.height), (384, 300));
    // 270 by 200 pixels for 3 by 2 cells: 90 for each.
    for (row, column) in [(0, 0), (0, 2), (1, 1), (1, 2)] {
        let expected = [0, 1, 2].map(|channel| image[[row, column, channel]]);
        assert_eq!(found.at(LEFT + column * 90 + 45, TOP + row * 90 + 45), expected, "{row}, {column}");
        assert_eq!(found.at(LEFT + column * 90 + 1, TOP + row * 90 + 88), expected, "{row}, {column}");
    }
}

#[test]
fn a_heat_map_is_dark_where_it_is_least_and_bright_where_it_is_greatest() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let mut heat = Array2::<f32>::from_elem((10, 10), 1.0);
    heat[[2, 7]] = 9.0;
    heat[[8, 1]] = -7.0;
    heat[[0, 0]] = f32::NAN;
    savez(&path, [("heat", &heat as &dyn Save)]).unwrap();
    let found = drawn(&["--size", "394x300", &path]);
    // 200 by 200 pixels.
    let at = |row: usize, column: usize| found.at(LEFT + column * 20 + 10, TOP + row * 20 + 10);
    assert_eq!(at(2, 7), [254, 232, 37]);
    assert_eq!(at(8, 1), [68, 1, 84]);
    assert_eq!(at(0, 0), [200, 200, 200]);
    assert_eq!(at(5, 5), at(0, 9));
}

#[test]
fn a_line_has_its_peak_where_the_values_have_it() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let mut line = Array1::<f64>::zeros(1_000_000);
    line[250_000] = 5.0;
    savez(&path, [("line", &line as &dyn Save)]).unwrap();
    let tops = drawn(&["--size", "800x600", &path]).tops();
    let peak = tops.iter().enumerate().filter_map(|(x, top)| top.map(|top| (top, x))).min().unwrap();
    // 686 columns of pixels from 84 on.
    assert!(peak.1.abs_diff(84 + 686 / 4) <= 2, "{peak:?}");
    let printed = fine(["plot", "--size", "60x16", &path]);
    assert!(printed.lines()[0].starts_with("line  <f8 (1000000,)"), "{}", printed.text());
    assert!(printed.lines()[1].contains("from the least to the greatest of 21277"), "{}", printed.text());
    let top = printed.lines()[2].chars().skip(12).position(|drawn| drawn != ' ').unwrap();
    assert!(top.abs_diff(47 / 4) <= 1, "{}", printed.text());
}

#[test]
fn a_histogram_counts_what_a_slice_takes() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let values = Array1::from_shape_fn(100, |i| if i < 75 { 1_i64 } else { 4 });
    savez(&path, [("v", &values as &dyn Save)]).unwrap();
    let printed = fine(["plot", "--kind", "histogram", "--bins", "3", "--size", "43x16", &path, "v", "10:"]);
    let lines = printed.lines();
    assert_eq!(&lines[..2], ["v[10:]  <i8 (90,)", "90 values in 3 bins"]);
    assert!(lines[2].contains("65 │██████████") && !lines[2].contains("███████████"), "{}", printed.text());
    // 25 of 65, in the last of three bins.
    let high = lines.iter().filter(|line| line.ends_with("██████████") && line.contains(" ██")).count();
    assert!((3..=4).contains(&high), "{high}: {}", printed.text());
}

#[test]
fn what_is_larger_than_the_picture_is_the_mean_of_blocks_and_says_so() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    // Columns of 0 and 200 in turn.
    let image = Array2::from_shape_fn((400, 1200), |(_, column)| if column % 2 == 0 { 0_u8 } else { 200 });
    savez(&path, [("image", &image as &dyn Save)]).unwrap();
    let found = drawn(&["--size", "714x300", &path]);
    assert_eq!(found.at(LEFT + 100, TOP + 100), [100, 100, 100]);
    let svg = folder.at("out.svg");
    fine(["plot", "-o", &svg, "--size", "714x300", &path]);
    let svg = fs::read_to_string(svg).unwrap();
    assert!(svg.starts_with("<svg width=\"714\" height=\"300\"") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("each pixel is the mean of 2 × 2") && svg.contains("|u1 (400, 1200)"));
    assert!(svg.contains("<image x=\"84\" y=\"64\" width=\"600\" height=\"200\""));
    assert_eq!(svg.matches("<svg").count(), 1);
}

#[test]
fn a_terminal_gets_the_colours_that_it_has() {
    let plot = |term: &str, color: &str| {
        let mut command =
            npz(["plot", "--color", "always", "--size", "30x12", "tests/data/model-batch.npz", "features"]);
        outcome(command.env("TERM", term).env("COLORTERM", color)).text().to_owned()
    };
    assert!(plot("xterm", "truecolor").contains("\x1b[38;2;68;1;84m"));
    assert!(plot("xterm-256color", "").contains("\x1b[38;5;"));
    let few = plot("xterm", "");
    assert!(few.contains("\x1b[3") && !few.contains("38;"), "{few}");
    let none = fine(["plot", "--size", "30x12", "tests/data/model-batch.npz", "features"]);
    assert!(!none.text().contains('\x1b') && none.text().contains('█'));
}

#[test]
fn a_picture_is_the_same_each_time_and_overwrites_nothing() {
    let folder = Folder::new();
    let args =
        |name: &str| ["plot", "tests/data/model-batch.npz", "features", "-o", &folder.at(name)].map(str::to_owned);
    fine(args("a.png"));
    fine(args("b.png"));
    assert_eq!(fs::read(folder.at("a.png")).unwrap(), fs::read(folder.at("b.png")).unwrap());
    assert_eq!(run(args("a.png")).code, 2);
    let dry = run(args("c.svg").into_iter().chain(["--dry-run".to_owned()]));
    assert_eq!((dry.code, folder.names().len()), (0, 2));
    assert_eq!(run(args("d.jpg")).code, 2);
    assert_eq!(run(["plot", "tests/data/model-batch.npz", "sample_ids"]).code, 4);
    assert_eq!(run(["plot", "tests/data/model-batch.npz", "label"]).code, 5);
    let refused = run(["plot", "--kind", "image", "tests/data/model-batch.npz", "features"]);
    assert_eq!(refused.code, 2);
    assert!(refused.errors.contains("an image is u8 of (h, w)"), "{}", refused.errors);
}

fn svg(args: &[&str]) -> String {
    let folder = Folder::new();
    let path = folder.at("out.svg");
    fine(["plot", "-o", &path].iter().chain(args));
    fs::read_to_string(path).unwrap()
}

/// What is written in a picture.
fn words(svg: &str) -> Vec<&str> {
    svg.split("</text>").filter_map(|text| Some(text.rsplit_once('>')?.1.trim())).collect()
}

#[test]
fn axes_have_numbers_at_the_ends_of_f64_and_around_nothing() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let ends = Array1::from_shape_fn(20, |i| if i % 2 == 0 { f64::MAX } else { -f64::MAX });
    let small = Array1::from_shape_fn(20, |i| i as f64 * 1e-20);
    savez(&path, [("ends", &ends as &dyn Save), ("same", &Array1::from_elem(9, f64::MAX)), ("small", &small)]).unwrap();
    for kind in ["line", "histogram"] {
        let found = svg(&["--kind", kind, &path, "ends"]);
        assert!(words(&found).contains(&"-1.5e308") && words(&found).contains(&"1e308"), "{kind}: {found}");
        let found = svg(&["--kind", kind, &path, "small"]);
        assert!(words(&found).contains(&"1e-19"), "{kind}: {found}");
        svg(&["--kind", kind, &path, "same"]);
    }
}

#[test]
fn values_that_are_close_together_have_different_numbers() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let close = Array2::from_shape_fn((20, 20), |(row, column)| 1e9 + (row * 20 + column) as f64 / 400.0);
    savez(&path, [("close", &close as &dyn Save)]).unwrap();
    let found = svg(&[&path, "close"]);
    assert!(words(&found).contains(&"scale: + 1000000000"), "{found}");
    assert!(words(&found).contains(&"0") && words(&found).contains(&"0.9975"), "{found}");
    let found = svg(&[&path, "close", "0"]);
    assert!(words(&found).contains(&"0.02") && !words(&found).contains(&"1e9"), "{found}");
}

#[test]
fn rows_and_columns_have_round_and_whole_numbers() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    savez(&path, [("tall", &Array2::<f32>::zeros((1234, 1)) as &dyn Save)]).unwrap();
    let found = svg(&[&path, "tall"]);
    let numbers = words(&found);
    assert!(numbers.contains(&"0") && numbers.contains(&"1000"), "{numbers:?}");
    assert!(numbers.iter().all(|text| *text != "234" && !text.starts_with("0.")), "{numbers:?}");
}

#[test]
fn a_line_on_a_terminal_goes_to_the_end_of_its_axis() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let mut line = Array1::<i64>::zeros(70);
    line[60] = 5;
    savez(&path, [("line", &line as &dyn Save)]).unwrap();
    let printed = fine(["plot", "--size", "80x24", &path]);
    // 67 columns for 70 values, two in each.
    let top = printed.lines()[2].chars().skip(12).position(|drawn| drawn != ' ').unwrap();
    assert!(top.abs_diff(67 * 60 / 70) <= 1, "{}", printed.text());
}

#[test]
fn a_narrow_terminal_has_the_slice_and_both_ends_of_the_colours_in_its_lines() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let key = "k".repeat(200);
    let heat = Array2::from_shape_fn((9, 9), |(row, column)| 1.234567e-300 * (row + column) as f64 - 5.43219e-300);
    savez(&path, [(&*key, &heat as &dyn Save)]).unwrap();
    let printed = fine(["plot", "--size", "40x12", &path, &key, "1:, 2:"]);
    assert!(printed.lines().iter().all(|line| line.chars().count() <= 40), "{}", printed.text());
    assert!(printed.lines()[0].starts_with("kkkk") && printed.lines()[0].ends_with("[1:, 2:]  <f8 (8, 7)"));
    let legend = printed.lines().last().unwrap().trim();
    assert!(legend.starts_with("-1.73e-300 ") && legend.ends_with("e-299"), "{legend}");
    let found = svg(&["--size", "500x375", &path, &key, "1:, 2:"]);
    assert!(words(&found).iter().any(|text| text.ends_with("[1:, 2:]  <f8 (8, 7)") || text.contains("[1:, 2:]")));
    assert!(words(&found).contains(&"-1.73e-300"), "{found}");
}

#[test]
fn shades_tell_cells_without_a_value_from_others() {
    let folder = Folder::new();
    let path = folder.at("a.npz");
    let mut heat = Array2::from_shape_fn((2, 4), |(_, column)| column as f32);
    heat.column_mut(1).fill(f32::NAN);
    savez(&path, [("heat", &heat as &dyn Save)]).unwrap();
    let printed = fine(["plot", "--size", "21x10", &path]);
    assert!(printed.lines()[2].ends_with("│  ··▒▒██"), "{}", printed.text());
    assert_eq!(printed.text().matches('·').count(), 8, "{}", printed.text());
}

#[test]
fn letters_that_the_font_has_not_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npz");
    let mut writer = npzmap::NpzWriter::create(&path).unwrap();
    for key in ["日", "月", "é"] {
        writer.add(key, &[1.0_f32, 2.0, 3.0][..]).unwrap();
    }
    writer.finish().unwrap();
    let drawn = |key: &str| {
        let to = folder.path().join(format!("{key}.png"));
        fine(["plot", "-o", to.to_str().unwrap(), path.to_str().unwrap(), key]);
        fs::read(to).unwrap()
    };
    let [sun, moon, accent] = ["日", "月", "é"].map(drawn);
    assert!(sun != moon, "as boxes they would be the same picture");
    assert!(moon != accent);
}

/// A read for each item would be 20,000 of them.
#[cfg(target_os = "linux")]
#[test]
fn a_field_is_read_by_spans_of_records() {
    const RECORDS: usize = 20_000;
    let folder = Folder::new();
    let descr = "[('a', '<f8'), ('xyz', '<f4', (2, 3)), ('b', '|V8')]"; // 40 bytes
    let record = |number: usize| {
        let mut record = (number as f64).to_le_bytes().to_vec();
        record.extend((0..6).flat_map(|place| ((number * 6 + place) as f32).to_le_bytes()));
        record.extend([0; 8]);
        record
    };
    let records: Vec<u8> = (0..RECORDS).flat_map(record).collect();
    let path = folder.write("records.npy", crate::forge::npy(descr, &format!("({RECORDS},)"), &records));
    let values: Vec<u8> = (0..RECORDS).flat_map(|number| (number as f64).to_le_bytes()).collect();
    let plain = folder.write("a.npy", crate::forge::npy("'<f8'", &format!("({RECORDS},)"), &values));
    // The titles are not the same.
    let drawn = |args: &[&str]| fine(["plot", "--size=60x20"].iter().chain(args)).lines()[1..].join("\n");
    assert_eq!(drawn(&["--field=a", &path]), drawn(&[&plain]));
    assert_eq!(drawn(&["--field=a", &path, "::-3"]), drawn(&[&plain, "::-3"]));
    let calls = |command: &str, args: &[&str]| crate::run::reads([command].iter().chain(args)).calls;
    let few = calls("plot", &[&plain, ":10"]) + 50;
    for (field, slice) in [("a", ":"), ("a", "::-3"), ("xyz", ":"), ("xyz", "::2, 1, ::-1"), ("xyz", "1:, :, 1")] {
        let found = calls("plot", &["--kind=histogram", "--field", field, &path, slice]);
        assert!(found < few, "{field} {slice}: {found} reads");
        // Both commands have one way of taking a part.
        let found = calls("show", &["--json", "--field", field, &path, slice]);
        assert!(found < few, "{field} {slice}: {found} reads");
    }
}
