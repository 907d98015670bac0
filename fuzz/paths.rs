//! The paths of fields, for the targets that take them.

use npzmap::Dtype;

/// The paths of all fields.
pub(crate) fn fields(dtype: &Dtype, path: &str, take: &mut dyn FnMut(&str)) {
    match dtype {
        Dtype::Record(record) => {
            for field in record.fields().iter().take(16) {
                let path = if path.is_empty() { field.name().into() } else { format!("{path}.{}", field.name()) };
                take(&path);
                fields(field.dtype(), &path, take);
            }
        }
        Dtype::Subarray(array) => fields(array.base(), path, take),
        _ => {}
    }
}
