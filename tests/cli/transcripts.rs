//! Every transcript of the documentation, and the examples of the help texts.

#[test]
fn transcripts_are_what_is_printed() {
    let bin = env!("CARGO_BIN_EXE_npz");
    trycmd::TestCases::new().register_bin("npz", std::path::Path::new(bin)).case("tests/cmd/*.trycmd");
}
