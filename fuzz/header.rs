//! What a header's text means survives being printed and parsed again.

use npzmap::{Dtype, Header};

pub(crate) fn header(bytes: &[u8]) {
    let Ok(header) = Header::from_bytes(bytes) else {
        return;
    };
    let printed = header.to_bytes();
    assert_eq!(printed.len() % 64, 0);
    let again = Header::from_bytes(&printed).expect("what was printed is a header");
    assert_eq!(
        (again.dtype(), again.shape(), again.order(), again.count()),
        (header.dtype(), header.shape(), header.order(), header.count())
    );
    assert_eq!(again.to_bytes(), printed);
    let text = header.dtype().to_string();
    assert_eq!(&text.parse::<Dtype>().expect("what was printed is a dtype"), header.dtype());
}
