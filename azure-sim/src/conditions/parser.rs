//! From the text of a condition to its value.

use std::iter::Peekable;
use std::vec::IntoIter;

use uuid::Uuid;

use super::error::ConditionError;
use super::expression::{Attribute, Comparison, Expression, Source, Values};
use super::tokens::{Token, tokens};

/// How deep parentheses may be nested. Text from a request must not use up the stack.
const DEEPEST: usize = 32;

const ATTRIBUTES: &str = "Microsoft.Authorization/roleAssignments:";

type Result<T> = std::result::Result<T, ConditionError>;

/// Reads a whole condition.
pub(super) fn parse(text: &str) -> Result<Expression> {
    let mut parser = Parser {
        rest: tokens(text)?.into_iter().peekable(),
    };
    let expression = parser.expression(0)?;
    match parser.rest.next() {
        None => Ok(expression),
        Some(token) => Err(unexpected(Some(token))),
    }
}

struct Parser {
    rest: Peekable<IntoIter<Token>>,
}

impl Parser {
    /// Parts that are joined by `AND`, or by `OR`. Azure's documents call a mix without parentheses
    /// ambiguous.
    fn expression(&mut self, depth: usize) -> Result<Expression> {
        if depth > DEEPEST {
            let what = format!("more than {DEEPEST} nested parentheses");
            return Err(ConditionError::NotSimulated(what));
        }
        let mut parts = vec![self.operand(depth)?];
        let mut joined = None;
        while let Some(joint) = self.joint()? {
            if *joined.get_or_insert(joint) != joint {
                let mix = "AND and OR without parentheses".to_owned();
                return Err(ConditionError::Malformed(mix));
            }
            parts.push(self.operand(depth)?);
        }
        Ok(match joined {
            None => parts.remove(0),
            Some(Joint::And) => Expression::All(parts),
            Some(Joint::Or) => Expression::Any(parts),
        })
    }

    /// The `AND` or `OR` that is next, if the expression goes on.
    fn joint(&mut self) -> Result<Option<Joint>> {
        let Some(Token::Word(word)) = self.rest.next_if(|next| matches!(next, Token::Word(_)))
        else {
            return Ok(None);
        };
        match word.as_str() {
            "AND" | "&&" => Ok(Some(Joint::And)),
            "OR" | "||" => Ok(Some(Joint::Or)),
            _ => Err(ConditionError::NotSimulated(word)),
        }
    }

    fn operand(&mut self, depth: usize) -> Result<Expression> {
        match self.rest.next() {
            Some(Token::Sign('(')) => {
                let inside = self.expression(depth + 1)?;
                self.sign(')')?;
                Ok(inside)
            }
            Some(Token::Sign('!')) => self.negation(depth),
            Some(Token::Attribute { source, name }) => self.comparison(&source, &name),
            Some(Token::Word(word)) => match word.as_str() {
                "ActionMatches" => self.action().map(Expression::ActionMatches),
                "NOT" => self.negation(depth),
                _ => Err(ConditionError::NotSimulated(word)),
            },
            other => Err(unexpected(other)),
        }
    }

    /// Only of an action: what the negation of an attribute that is not there means is not
    /// documented.
    fn negation(&mut self, depth: usize) -> Result<Expression> {
        self.sign('(')?;
        let inside = self.expression(depth + 1)?;
        self.sign(')')?;
        match inside {
            Expression::ActionMatches(pattern) => Ok(Expression::ActionDiffers(pattern)),
            _ => Err(ConditionError::NotSimulated(
                "a negation of anything but ActionMatches".to_owned(),
            )),
        }
    }

    fn action(&mut self) -> Result<String> {
        match &self.list()?[..] {
            [Token::Quoted(action)] => Ok(action.clone()),
            _ => Err(ConditionError::Malformed(
                "ActionMatches takes one action in quotes".to_owned(),
            )),
        }
    }

    fn comparison(&mut self, source: &str, name: &str) -> Result<Expression> {
        let unknown = || ConditionError::NotSimulated(format!("@{source}[{name}]"));
        let operator = match self.rest.next() {
            Some(Token::Word(operator)) => operator,
            other => return Err(unexpected(other)),
        };
        Ok(Expression::Compare(Comparison {
            source: source_called(source).ok_or_else(unknown)?,
            attribute: attribute_called(name).ok_or_else(unknown)?,
            values: values(operator, self.list()?)?,
        }))
    }

    /// What is between braces: at least one, with commas between.
    fn list(&mut self) -> Result<Vec<Token>> {
        self.sign('{')?;
        let mut found = Vec::new();
        loop {
            match self.rest.next() {
                Some(value @ (Token::Quoted(_) | Token::Word(_))) => found.push(value),
                other => return Err(unexpected(other)),
            }
            match self.rest.next() {
                Some(Token::Sign(',')) => {}
                Some(Token::Sign('}')) => return Ok(found),
                other => return Err(unexpected(other)),
            }
        }
    }

    fn sign(&mut self, wanted: char) -> Result<()> {
        match self.rest.next() {
            Some(Token::Sign(sign)) if sign == wanted => Ok(()),
            other => Err(unexpected(other)),
        }
    }
}

/// What joins two parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

fn source_called(name: &str) -> Option<Source> {
    match name {
        "Request" => Some(Source::Request),
        "Resource" => Some(Source::Resource),
        _ => None,
    }
}

fn attribute_called(name: &str) -> Option<Attribute> {
    match name.strip_prefix(ATTRIBUTES)? {
        "RoleDefinitionId" => Some(Attribute::RoleDefinitionId),
        "PrincipalId" => Some(Attribute::PrincipalId),
        "PrincipalType" => Some(Attribute::PrincipalType),
        _ => None,
    }
}

fn values(operator: String, list: Vec<Token>) -> Result<Values> {
    match operator.as_str() {
        "ForAnyOfAnyValues:GuidEquals" => each(list, guid).map(Values::Guids),
        "ForAnyOfAnyValues:StringEquals" => each(list, text).map(Values::Exactly),
        "ForAnyOfAnyValues:StringEqualsIgnoreCase" => each(list, text).map(Values::InAnyCase),
        _ => Err(ConditionError::NotSimulated(operator)),
    }
}

fn each<T>(list: Vec<Token>, read: impl Fn(Token) -> Result<T>) -> Result<Vec<T>> {
    list.into_iter().map(read).collect()
}

fn guid(token: Token) -> Result<Uuid> {
    match token {
        Token::Word(word) => Uuid::parse_str(&word)
            .map_err(|_| ConditionError::Malformed(format!("{word} is not a GUID"))),
        other => Err(unexpected(Some(other))),
    }
}

fn text(token: Token) -> Result<String> {
    match token {
        Token::Quoted(text) => Ok(text),
        other => Err(unexpected(Some(other))),
    }
}

fn unexpected(token: Option<Token>) -> ConditionError {
    ConditionError::Malformed(match token {
        None => "its end is missing".to_owned(),
        Some(Token::Sign(sign)) => format!("{sign} is out of place"),
        Some(Token::Quoted(text)) => format!("'{text}' is out of place"),
        Some(Token::Attribute { source, name }) => format!("@{source}[{name}] is out of place"),
        Some(Token::Word(word)) => format!("{word} is out of place"),
    })
}
