//! Cross-references between the pull requests of one run.

use super::PullRequest;

const START: &str = "<!-- abbado: related pull requests -->";
const END: &str = "<!-- abbado: end -->";

/// The text block that names all pull requests of a run, by repository. It stands between
/// markers, so that [`with_cross_reference`] finds it again.
#[must_use]
pub fn cross_reference(prs: &[(String, PullRequest)]) -> String {
    use std::fmt::Write as _;
    let mut block = format!("{START}\n**Belongs together:**\n\n");
    for (repo_name, pr) in prs {
        // A name can neither end its quotes nor look like a marker.
        let plain = |letter: &char| !letter.is_control() && !matches!(letter, '`' | '<' | '>');
        let name: String = repo_name.chars().filter(plain).collect();
        // Writing to a String does not fail.
        writeln!(block, "- `{name}`: {}", pr.url).ok();
    }
    block.push_str(END);
    block
}

/// `body` with the block in place of an older one, else at its end. Doing it again changes
/// nothing.
#[must_use]
pub(super) fn with_cross_reference(body: &str, block: &str) -> String {
    let older = body.rfind(START).and_then(|start| {
        let length = body[start..].find(END)? + END.len();
        Some((start, start + length))
    });
    match older {
        Some((start, end)) => format!("{}{block}{}", &body[..start], &body[end..]),
        None if body.trim().is_empty() => block.to_owned(),
        None => format!("{}\n\n{block}", body.trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(urls: &[&str]) -> String {
        let pr = |url: &&str| PullRequest {
            number: 1,
            url: (*url).to_owned(),
            existed: false,
        };
        let prs: Vec<_> = urls
            .iter()
            .map(|url| (format!("r`{END}\n{url}"), pr(url)))
            .collect();
        cross_reference(&prs)
    }

    #[test]
    fn a_block_is_added_then_replaced_and_the_users_words_stay() {
        let (one, two) = (
            block(&["https://h/1"]),
            block(&["https://h/1", "https://h/2"]),
        );
        assert_eq!(one.matches(END).count(), 1, "{one}");
        let first = with_cross_reference("Hello.\n", &one);
        assert_eq!(first, format!("Hello.\n\n{one}"));
        let edited = format!("{first}\n\nMore words.");
        assert_eq!(
            with_cross_reference(&edited, &two),
            format!("Hello.\n\n{two}\n\nMore words.")
        );
        assert_eq!(with_cross_reference(" \n", &one), one);
        assert_eq!(
            with_cross_reference(&format!("a {START} b"), &one),
            format!("a {START} b\n\n{one}")
        );
    }

    proptest! {
        #[test]
        fn doing_it_again_changes_nothing(pieces in prop::collection::vec(
            prop_oneof![Just(START.to_owned()), Just(END.to_owned()), "\\PC{0,5}|\n"], 0..8)
        ) {
            let block = block(&["https://h/1"]);
            let once = with_cross_reference(&pieces.concat(), &block);
            prop_assert!(once.contains(&block));
            prop_assert_eq!(with_cross_reference(&once, &block), once.clone());
        }
    }
}
