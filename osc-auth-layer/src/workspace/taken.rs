//! Recognises from the platform's reason that a name is taken.

/// Phrases that something is taken, and whether the phrase is clear enough without a subject.
const VERDICTS: [(&[&str], bool); 7] = [
    (&["already", "exists"], true),
    (&["exists", "already"], true),
    (&["already", "taken"], true),
    (&["already", "used"], true),
    (&["already", "in", "use"], true),
    (&["taken"], false),
    (&["in", "use"], false),
];
/// Phrases that are always about the name.
const WHOLE: [&[&str]; 3] =
    [&["duplicate", "name"], &["already", "an", "instance"], &["already", "a", "job"]];
/// Words between the subject and the phrase, as in "the name *is already* taken".
const FILLERS: [&str; 7] = ["is", "are", "was", "has", "have", "been", "already"];
/// Words that may precede "name". Any other word means another name, such as that of a domain, a user or a file.
const OF_THE_INSTANCE: [&str; 16] = [
    "the", "that", "this", "a", "an", "same", "such", "given", "with", "by", "of", "instance", "job",
    "service", "chosen", "name",
];

/// Returns true if the reason for a refused create says that the instance's name is taken.
///
/// A phrase such as "already exists" counts only if its subject is the name or the instance, or if it has none. A port or a
/// domain that is in use does not mean that the instance exists.
pub(super) fn says_taken(reason: &str, name: &str) -> bool {
    let text = reason.to_lowercase();
    let words: Vec<_> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    (0..words.len()).any(|at| {
        let (before, rest) = words.split_at(at);
        let is_verdict = |&(phrase, stands_alone): &(&[&str], bool)| {
            rest.starts_with(phrase) && is_about_the_instance(before, name).unwrap_or(stands_alone)
        };
        WHOLE.iter().any(|phrase| rest.starts_with(phrase)) || VERDICTS.iter().any(is_verdict)
    })
}

/// Returns true if the words before a phrase have the instance or its name as their subject. `None` if there is no subject.
fn is_about_the_instance(before: &[&str], name: &str) -> Option<bool> {
    let mut before = before.iter().rev().copied().skip_while(|word| FILLERS.contains(word));
    let subject = before.next()?;
    let rest = before.next();
    Some(match subject {
        "name" | "names" => rest.is_none_or(|word| OF_THE_INSTANCE.contains(&word)),
        "instance" | "job" => true,
        _ if subject == name => rest.is_none_or(|word| {
            matches!(word, "name" | "named" | "called" | "instance" | "job" | "service" | "the" | "error")
        }),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_name_is_recognised_in_any_wording() {
        for reason in [
            "the name is taken",
            "Name taken",
            "Name already taken.",
            "name has already been taken",
            "Name is already in use",
            "Instance name 'store' is already in use",
            "That name is in use!",
            "This name is already used",
            "The same name already exists",
            "An instance with that name already exists",
            "An instance with the name store already exists",
            "Instance already exists",
            "instance \"store\" already exists",
            "Instance `store` exists already",
            "store already exists",
            "A job named store already exists",
            "There is already an instance named store",
            "Already exists",
            "already taken",
            "Conflict: instance with name store already exists in tenant acme",
            "Duplicate name",
            "Could not create the instance: NAME ALREADY EXISTS",
        ] {
            assert!(says_taken(reason, "store"), "{reason}");
        }
        assert!(says_taken("the name 'name' is taken", "name"));
    }

    #[test]
    fn other_things_in_use_do_not_count_as_the_name() {
        for reason in [
            "",
            "no tokens left",
            "no such secret: taken",
            "Port 8080 is already in use",
            "The domain name store.example is already in use",
            "the domain name is taken",
            "The user name is already taken",
            "hostname already exists",
            "secret store already exists",
            "Secret 'key' already exists",
            "The bucket already exists",
            "name is not in use",
            "the name must not be taken from a list",
            "name consists of letters",
            "Instance limit reached: 5 of 5 in use",
            "all nodes in use",
            "in use: 5 of 5",
            "taken together, the options make no sense",
            "action taken: none",
            "storefront already exists",
            "the name does not exist",
        ] {
            assert!(!says_taken(reason, "store"), "{reason}");
        }
    }
}
