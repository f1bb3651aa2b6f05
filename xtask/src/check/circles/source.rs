//! What one file says about others: the modules it declares, the names it imports, the paths it
//! names.

use std::collections::BTreeMap;
use std::iter::Peekable;

use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream::IntoIter};

type Tokens = Peekable<IntoIter>;

/// A `use` of one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// Whether others may take the name from here.
    pub(super) is_public: bool,
}

/// One file, without its tests.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Modules that are files of their own.
    pub(super) children: Vec<String>,
    /// Imports by the name they bring in; a glob import by its path and a star.
    pub(super) imports: BTreeMap<String, Import>,
    /// Paths of the code; a single name is a path of one segment.
    pub(super) paths: Vec<Vec<String>>,
}

impl Source {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
        let mut source = Self::default();
        source.read(tokens);
        Ok(source)
    }

    /// Whether the first name of `path` is a module or an import of this file. A module alone is no
    /// path of code: a variable may have its name.
    pub(super) fn brings_in(&self, path: &[String]) -> bool {
        let is_child = path.len() > 1 && self.children.contains(&path[0]);
        is_child || self.imports.contains_key(&path[0])
    }

    fn read(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut is_public = false;
        // How many dots were before the token: after one, a name is a field or a method.
        let mut dots = 0;
        while let Some(token) = tokens.next() {
            if is_mark(&token, '.') {
                dots += 1;
                continue;
            }
            match token {
                TokenTree::Punct(mark) if mark.as_char() == '#' => {
                    if is_for_tests(&mut tokens) {
                        skip_item(&mut tokens);
                    }
                }
                TokenTree::Group(group) => self.read(group.stream()),
                TokenTree::Ident(_) if dots == 1 => {}
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "pub" => {
                        is_public = true;
                        // `pub(crate)`: its words are no paths.
                        tokens.next_if(|next| is_group(next, Delimiter::Parenthesis));
                        continue;
                    }
                    "use" => self.import(&mut tokens, &[], is_public),
                    "mod" => self.declare(&mut tokens),
                    // The name that a function is given is no use of another of that name.
                    "fn" => drop(tokens.next()),
                    word => {
                        let path = path(word, &mut tokens);
                        self.paths.push(path);
                    }
                },
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            is_public = false;
            dots = 0;
        }
    }

    /// Notes `mod NAME;`. What is in `mod NAME { … }` is passed over.
    fn declare(&mut self, tokens: &mut Tokens) {
        let name = tokens.next();
        if let Some((name, end)) = name.zip(tokens.next())
            && is_mark(&end, ';')
        {
            self.children.push(name.to_string());
        }
    }

    /// Reads one branch of the tree after `use`, up to the comma or semicolon after it.
    fn import(&mut self, tokens: &mut Tokens, before: &[String], is_public: bool) {
        let mut path = before.to_vec();
        let mut name = None;
        while let Some(token) = tokens.next_if(|next| !is_mark(next, ',') && !is_mark(next, ';')) {
            match token {
                TokenTree::Ident(word) if word == "as" => {
                    name = tokens.next().map(|alias| alias.to_string());
                }
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let mut branches = group.stream().into_iter().peekable();
                    while branches.peek().is_some() {
                        self.import(&mut branches, &path, is_public);
                        branches.next();
                    }
                    return;
                }
                TokenTree::Punct(mark) if mark.as_char() == '*' => {
                    name = Some(path.join("::") + "*")
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
        // `use a::{self}` brings in `a`.
        if path.len() > 1 {
            path.pop_if(|last| last == "self");
        }
        if let Some(name) = name.or_else(|| path.last().cloned()) {
            self.imports.insert(name, Import { path, is_public });
        }
    }
}

/// The rest of the path that begins with `first`.
fn path(first: &str, tokens: &mut Tokens) -> Vec<String> {
    let mut path = vec![first.to_owned()];
    loop {
        let mut ahead = tokens.clone();
        let colons = [ahead.next(), ahead.next()];
        let is_colon =
            |token: &Option<TokenTree>| token.as_ref().is_some_and(|it| is_mark(it, ':'));
        match ahead.next() {
            Some(TokenTree::Ident(next)) if colons.iter().all(is_colon) => {
                path.push(next.to_string());
                *tokens = ahead;
            }
            _ => return path,
        }
    }
}

/// Reads the attribute after a `#`, and says whether what follows is test code.
fn is_for_tests(tokens: &mut Tokens) -> bool {
    tokens.next_if(|next| is_mark(next, '!'));
    let Some(TokenTree::Group(attribute)) =
        tokens.next_if(|next| is_group(next, Delimiter::Bracket))
    else {
        return false;
    };
    let text = attribute.stream().to_string().replace(' ', "");
    text == "test" || text == "cfg(test)"
}

/// Passes over an item, up to its body or its semicolon.
fn skip_item(tokens: &mut Tokens) {
    for token in tokens {
        if is_mark(&token, ';') || is_group(&token, Delimiter::Brace) {
            return;
        }
    }
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(found) if found.as_char() == mark)
}

fn is_group(token: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == delimiter)
}
