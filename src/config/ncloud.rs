//! The vendor's own key file, `~/.ncloud/configure`: an INI file (`ELSA-API.md`, *Clouds and
//! credentials*).

/// The access key's name in the file.
pub(super) const ACCESS_KEY: &str = "ncloud_access_key_id";
/// The secret key's name in the file.
pub(super) const SECRET_KEY: &str = "ncloud_secret_access_key";

/// The value of `name` in the section `[DEFAULT]`; the last one where there are several. A `#` or
/// `;` begins a comment only at a line's start, since a key may hold one.
pub(super) fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut in_default = false;
    let mut found = None;
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            in_default = section
                .strip_suffix(']')
                .is_some_and(|name| name.trim() == "DEFAULT");
        } else if in_default
            && !line.starts_with(['#', ';'])
            && let Some((key, value)) = line.split_once('=')
            && key.trim().eq_ignore_ascii_case(name)
        {
            found = Some(value.trim());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_default_section_counts() {
        let text = "\u{feff}ncloud_access_key_id = before\r\n\
                    # ncloud_access_key_id = comment\r\n\
                    [other]\r\n\
                    ncloud_access_key_id = other\r\n\
                    [ DEFAULT ]\r\n\
                    \r\n\
                    ; ncloud_access_key_id = comment\r\n\
                    \tncloud_access_key_id\t=  a#b;c=d  \r\n\
                    NCLOUD_SECRET_ACCESS_KEY=s\r\n\
                    ncloud_api_url = https://example.invalid\r\n\
                    [DEFAULT2]\r\n\
                    ncloud_access_key_id = after\r\n";
        assert_eq!(value(text, ACCESS_KEY), Some("a#b;c=d"));
        assert_eq!(value(text, SECRET_KEY), Some("s"));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for text in [
            "",
            "[DEFAULT]",
            "ncloud_access_key_id = x",
            "[DEFAULT\nncloud_access_key_id=x",
        ] {
            assert_eq!(value(text, ACCESS_KEY), None, "{text}");
        }
        assert_eq!(
            value("[DEFAULT]\nncloud_access_key_id=", ACCESS_KEY),
            Some("")
        );
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(\\[?DEFAULT\\]?|ncloud_access_key_id|[ =#;\\r\\n\u{feff}]|.)*") {
            let _ = value(&text, ACCESS_KEY);
        }
    }
}
