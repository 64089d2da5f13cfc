// Evaluates the condition of a security rule for what is known of a request: the result is true, false or ANY, which is both.
// A claim that no user of Keydesk has is ABSENT. It knows Keydesk's uids, and what it does not understand it leaves undecided.
// Source: firebase.google.com/docs/rules/rules-language (operators and their precedence); firebase.google.com/docs/reference/rules.

import { FIREBASE_UID_PATTERN } from '../firebase-user.ts';
import { type Allow, findFunction, type RulesFunction, type Scope, type Token } from './text.ts';
import { ABSENT, ANY, both, constant, either, FALSE, NULL, not, TRUE, truth, type Value } from './value.ts';

const UID_FORM = new RegExp(`^${FIREBASE_UID_PATTERN}$`);
/** Patterns that each uid of Keydesk matches as a whole. */
const UID_PATTERNS = [FIREBASE_UID_PATTERN, 'keydesk-.*', 'keydesk-.+'].flatMap((form) => [form, `^${form}$`]);
/** Built-in functions with an unknown result, apart from `exists` and `get`. */
const BUILT_IN = ['exists', 'get', 'existsAfter', 'getAfter', 'debug', 'path', 'bool', 'float', 'int', 'string'];
const COMPARING = ['==', '!=', '<', '<=', '>', '>=', 'in', 'is'];
/** More calls than a request may make. */
const MOST_CALLS = 200;

/** Text that this file does not understand. */
class Undecided extends Error {}

type Names = ReadonlyMap<string, Value>;

export interface Known {
  /** Of `request`. */
  readonly request: Value;
  /** Collections of the database in which Keydesk's tokens may create documents with any name. */
  readonly collections: ReadonlySet<string>;
}

/**
 * Whether the statement's condition reads `request.auth` and may be true. What is undecided may be.
 * @param tokens the tokens of the file that contains `allow`
 */
export function mayAdmit(tokens: readonly Token[], allow: Allow, known: Known): boolean {
  return new Evaluation(tokens, known).admits(allow);
}

/** Evaluates one condition while reading it. Both sides of every operator are evaluated. */
class Evaluation {
  readonly #tokens: readonly Token[];
  readonly #request: Value;
  readonly #collections: ReadonlySet<string>;
  #at = 0;
  #scope: Scope | undefined;
  #names: Names = new Map();
  #calls = 0;
  #readsAuth = false;

  constructor(tokens: readonly Token[], { request, collections }: Known) {
    this.#tokens = tokens;
    this.#request = request;
    this.#collections = collections;
  }

  admits({ condition, end, scope }: Allow): boolean {
    if (condition === undefined) return false;
    this.#at = condition;
    this.#scope = scope;
    try {
      const value = this.#expression();
      if (this.#at !== end) throw new Undecided();
      return this.#readsAuth && truth(value) !== FALSE;
    } catch (error) {
      // A RangeError says that it is nested too deeply.
      if (error instanceof Undecided || error instanceof RangeError) return true;
      throw error;
    }
  }

  #next(): string {
    return this.#tokens[this.#at]?.text ?? '';
  }

  #take(): string {
    this.#at += 1;
    return this.#tokens[this.#at - 1]?.text ?? '';
  }

  #skip(text: string): boolean {
    const found = this.#next() === text;
    if (found) this.#at += 1;
    return found;
  }

  #demand(text: string) {
    if (!this.#skip(text)) throw new Undecided();
  }

  #expression(): Value {
    const condition = this.#or();
    if (!this.#skip('?')) return condition;
    const then = this.#expression();
    this.#demand(':');
    const otherwise = this.#expression();
    this.#unknown(then, otherwise);
    return either(both(condition, then), both(not(condition), otherwise));
  }

  #or(): Value {
    let value = this.#and();
    while (this.#skip('||')) value = either(value, this.#and());
    return value;
  }

  #and(): Value {
    let value = this.#comparison();
    while (this.#skip('&&')) value = both(value, this.#comparison());
    return value;
  }

  /** Of several comparisons without parentheses nothing is decided. */
  #comparison(): Value {
    const left = this.#sum();
    if (!COMPARING.includes(this.#next())) return left;
    const operator = this.#take();
    const right = this.#sum();
    if (COMPARING.includes(this.#next())) throw new Undecided();
    if (operator === '==') return this.#equal(left, right);
    if (operator === '!=') return not(this.#equal(left, right));
    return operator === 'in' ? this.#isIn(left, right) : this.#unknown(left, right);
  }

  #sum(): Value {
    let value = this.#unary();
    while (['+', '-', '*', '/', '%'].includes(this.#next())) {
      this.#at += 1;
      value = this.#unknown(value, this.#unary());
    }
    return value;
  }

  #unary(): Value {
    if (this.#skip('!')) return not(this.#unary());
    if (this.#skip('-')) return this.#unknown(this.#unary());
    let value = this.#primary();
    for (;;) {
      if (this.#skip('.')) {
        const name = this.#take();
        value = this.#skip('(') ? this.#method(value, name, this.#list(')')) : this.#member(value, name);
      } else if (this.#skip('[')) value = this.#element(value, this.#list(']'));
      else return value;
    }
  }

  #primary(): Value {
    const text = this.#take();
    if (text === '/') return this.#path();
    if (text === '(') {
      const [value, ...more] = this.#list(')');
      if (!value || more.length > 0) throw new Undecided();
      return value;
    }
    if (text === '[') return this.#holding(this.#list(']'));
    if (text === '{') return this.#holding(this.#list('}')) && ANY;
    if (/^['"]/.test(text)) return text.includes('\\') ? ANY : constant(text.slice(1, -1));
    if (/^\d/.test(text)) return ANY;
    if (!/^\w+$/.test(text)) throw new Undecided();
    if (this.#skip('(')) return this.#call(text, this.#list(')'));
    const named = this.#names.get(text);
    if (named) return named;
    if (text === 'request') return this.#request;
    return { true: TRUE, false: FALSE, null: NULL }[text] ?? ANY;
  }

  #list(closing: string): Value[] {
    const values: Value[] = [];
    while (!this.#skip(closing)) {
      values.push(this.#expression());
      if (this.#next() !== closing) this.#demand(this.#next() === ':' ? ':' : ',');
    }
    return values;
  }

  #holding(items: readonly Value[]): Value {
    this.#unknown(...items);
    return { is: 'list', items };
  }

  /** After its first slash. The collection follows /databases/DATABASE/documents. */
  #path(): Value {
    let byUid = false;
    const starts: string[] = [];
    do {
      starts.push(this.#next());
      if (this.#skip('$')) {
        this.#demand('(');
        byUid = this.#list(')')[0]?.is === 'uid' || byUid;
      } else if (this.#skip('(')) {
        this.#at += 1;
        this.#demand(')');
      } else while (/^[\w.-]+$/.test(this.#next())) this.#at += 1;
    } while (this.#skip('/'));
    const collection = starts[3] ?? '$';
    return byUid && collection !== '$' && !this.#collections.has(collection) ? { is: 'path by uid' } : ANY;
  }

  #call(name: string, values: readonly Value[]): Value {
    const found = findFunction(name, this.#scope);
    // What it admits ends with the grant.
    if (found?.generated && name === 'keydeskAllows') return FALSE;
    if (found) return this.#callOwn(found, values);
    if (!BUILT_IN.includes(name)) throw new Undecided();
    // Keydesk's users have no documents, unless a rule lets them write one under their uid: that rule is reported itself.
    if (values[0]?.is === 'path by uid' && name === 'exists') return FALSE;
    if (values[0]?.is === 'path by uid' && name === 'get') return ABSENT;
    return this.#unknown(...values);
  }

  #callOwn({ parameters, body, scope }: RulesFunction, values: readonly Value[]): Value {
    this.#calls += 1;
    if (this.#calls > MOST_CALLS) throw new Undecided();
    const caller = { at: this.#at, scope: this.#scope, names: this.#names };
    const names = new Map(parameters.map((parameter, index) => [parameter, values[index] ?? ANY]));
    [this.#at, this.#scope, this.#names] = [body, scope, names];
    while (this.#skip('let')) {
      const name = this.#take();
      this.#demand('=');
      names.set(name, this.#expression());
      this.#demand(';');
    }
    this.#demand('return');
    const value = this.#expression();
    this.#skip(';');
    this.#demand('}');
    [this.#at, this.#scope, this.#names] = [caller.at, caller.scope, caller.names];
    return value;
  }

  #member(value: Value, name: string): Value {
    if (value.is !== 'map') return this.#unknown(value);
    if (value === this.#request && name === 'auth') this.#readsAuth = true;
    return value.members.get(name) ?? value.others;
  }

  #element(value: Value, index: readonly Value[]): Value {
    const [name] = index;
    if (name?.is === 'constant' && typeof name.constant === 'string') return this.#member(value, name.constant);
    return this.#unknown(value, ...index);
  }

  #method(value: Value, name: string, values: readonly Value[]): Value {
    const [first, otherwise] = values;
    if (first?.is === 'constant' && typeof first.constant === 'string') {
      if (value.is === 'map' && name === 'get' && otherwise) {
        const member = this.#member(value, first.constant);
        return member === ABSENT ? otherwise : member;
      }
      if (value.is === 'uid' && name === 'matches') return UID_PATTERNS.includes(first.constant) ? TRUE : ANY;
    }
    return this.#unknown(value, ...values);
  }

  #equal(left: Value, right: Value): Value {
    if (left.is === 'constant' && right.is !== 'constant') return this.#equal(right, left);
    if (right.is !== 'constant') return left === ABSENT || right === ABSENT ? FALSE : this.#unknown(left, right);
    const { constant } = right;
    if (left.is === 'constant') return left.constant === constant ? TRUE : FALSE;
    if (left.is === 'absent') return constant === null ? TRUE : FALSE;
    if (left.is === 'uid') return typeof constant === 'string' && UID_FORM.test(constant) ? ANY : FALSE;
    return left.is === 'map' && constant === null ? FALSE : this.#unknown(left);
  }

  #isIn(value: Value, among: Value): Value {
    if (among.is === 'list') return among.items.reduce((found, item) => either(found, this.#equal(value, item)), FALSE);
    if (among.is !== 'map' || value.is !== 'constant') return this.#unknown(value, among);
    const member = this.#element(among, [value]);
    if (member === ABSENT) return FALSE;
    return member === ANY ? ANY : TRUE;
  }

  /** What comes of these by an operator or a call that is not decided here. */
  #unknown(...values: readonly Value[]): Value {
    if (values.includes(this.#request)) this.#readsAuth = true;
    return values.includes(ABSENT) ? ABSENT : ANY;
  }
}
