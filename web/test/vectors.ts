/** The vectors that the specification wrote. */

import { readFileSync, readdirSync } from "node:fs";

import { fromHex } from "../src/protocol/bytes.js";

const FOLDER = new URL("../../../vectors/", import.meta.url);

/** Return the file's content. Throws where a number is too large to be read exactly. */
export function vectors(name: string): Row {
  const content: unknown = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8"), (_, value) => {
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new RangeError(`${name} holds ${value}, which this reader rounds`);
    }
    return value as unknown;
  });
  return new Row(name, content);
}

/** Return the names of all files of a folder. */
export function files(folder: string): string[] {
  const names = readdirSync(new URL(folder, FOLDER)).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** A value of a vector, with the place where it stands for messages. */
export class Row {
  readonly #place: string;
  readonly #value: unknown;

  constructor(place: string, value: unknown) {
    this.#place = place;
    this.#value = value;
  }

  /** Return a member. */
  at(name: string): Row {
    if (!this.#isObject(this.#value) || !(name in this.#value)) {
      throw new TypeError(`${this.#place} has no ${name}`);
    }
    return new Row(`${this.#place} ${name}`, this.#value[name]);
  }

  /** Return the items of a list. */
  rows(): Row[] {
    if (!Array.isArray(this.#value)) {
      throw new TypeError(`${this.#place} is no list`);
    }
    return this.#value.map((item, place) => new Row(`${this.#place}[${place}]`, item));
  }

  text(): string {
    if (typeof this.#value !== "string") {
      throw new TypeError(`${this.#place} is no text`);
    }
    return this.#value;
  }

  number(): number {
    if (typeof this.#value !== "number") {
      throw new TypeError(`${this.#place} is no number`);
    }
    return this.#value;
  }

  bytes(): Uint8Array {
    return fromHex(this.text());
  }

  #isObject(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null;
  }
}
