export const licenceClasses = ["permissive", "weak copyleft", "copyleft", "unknown"] as const;
/** What a licence asks of a work that contains the package, from least to most. */
type LicenceClass = (typeof licenceClasses)[number];

interface Licence {
  /** An SPDX expression where one could be found, else what package.json says, else `none`. */
  readonly id: string;
  readonly class: LicenceClass;
  readonly from: "package.json" | "licence file" | "nowhere";
  /** What the licence file reads like, where that is not what package.json says. */
  readonly contradiction?: string;
}

/** The two fields of package.json that name a licence, in any of the forms of the last fifteen years. */
export interface LicenceFields {
  readonly license?: unknown;
  readonly licenses?: unknown;
}

const classMembers: Readonly<Record<Exclude<LicenceClass, "unknown">, readonly string[]>> = {
  permissive: [
    ...["MIT", "MIT-0", "X11", "ISC", "0BSD", "BSD", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"],
    ...["CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "Unlicense", "Public Domain", "WTFPL", "Zlib"],
    ...["BlueOak-1.0.0", "BSL-1.0", "Artistic-2.0", "Python-2.0", "PostgreSQL"],
  ],
  "weak copyleft": [
    ...["MPL-1.1", "MPL-2.0", "LGPL-2.0", "LGPL-2.1", "LGPL-3.0", "EPL-1.0", "EPL-2.0"],
    ...["CDDL-1.0", "CDDL-1.1"],
  ],
  copyleft: ["GPL-1.0", "GPL-2.0", "GPL-3.0", "AGPL-1.0", "AGPL-3.0", "EUPL-1.2", "CC-BY-SA-4.0"],
};

const classOfId = new Map(
  licenceClasses
    .filter((name) => name !== "unknown")
    .flatMap((name) => classMembers[name].map((id) => [id.toLowerCase(), name] as const)),
);

/** Names from before SPDX, lower case. */
const idOfOldName = new Map([
  ["apache", "Apache-2.0"],
  ["apache 2", "Apache-2.0"],
  ["apache-2", "Apache-2.0"],
  ["apache 2.0", "Apache-2.0"],
  ["apache license 2.0", "Apache-2.0"],
  ["apache license, version 2.0", "Apache-2.0"],
  ["bsd 2-clause", "BSD-2-Clause"],
  ["bsd 3-clause", "BSD-3-Clause"],
  ["new bsd", "BSD-3-Clause"],
  ["cc0", "CC0-1.0"],
  ["gplv2", "GPL-2.0"],
  ["gplv3", "GPL-3.0"],
  ["mit license", "MIT"],
  ["mit/x11", "MIT"],
  ["mpl 2.0", "MPL-2.0"],
  ["the mit license", "MIT"],
  ["the unlicense", "Unlicense"],
]);

/**
 * Sentences that only one licence has, for text in lower case with single spaces. Where two begin
 * at the same place, the earlier row, which asks for more of the text, wins.
 */
const sentences: readonly (readonly [id: string, sentence: RegExp])[] = [
  ["AGPL-3.0", /gnu affero general public license,? version 3/],
  ["LGPL-3.0", /gnu lesser general public license,? version 3/],
  ["LGPL-2.1", /gnu lesser general public license,? version 2\.1/],
  ["GPL-3.0", /gnu general public license,? version 3/],
  ["GPL-2.0", /gnu general public license,? version 2/],
  ["MPL-2.0", /mozilla public license,? version 2\.0/],
  ["EPL-2.0", /eclipse public license ?-? v(ersion )? ?2\.0/],
  ["Apache-2.0", /apache license,? version 2\.0/],
  ["CC0-1.0", /(creative commons )?cc0 1\.0 universal/],
  ["CC-BY-4.0", /(creative commons )?attribution 4\.0 international/],
  ["Unlicense", /this is free and unencumbered software released into the public domain/],
  ["BlueOak-1.0.0", /blue oak model license/],
  ["Zlib", /this software is provided 'as-is', without any express or implied warranty/],
  ["BSD-3-Clause", /redistribution and use in source and binary forms.{0,1500}?neither the name/],
  ["BSD-2-Clause", /redistribution and use in source and binary forms/],
  [
    "ISC",
    /permission to use, copy, modify,? and(\/or)? distribute.{0,150}?provided that the above/,
  ],
  ["0BSD", /permission to use, copy, modify,? and(\/or)? distribute/],
  [
    "MIT-0",
    /permission is hereby granted, free of charge, to any person.{0,350}?so\. the software/,
  ],
  ["MIT", /permission is hereby granted, free of charge, to any person/],
];

export function classifyLicence(fields: LicenceFields, text: string | undefined): Licence {
  const read = text === undefined ? undefined : recogniseText(text);
  const declared = declaredLicence(fields);
  if (declared === undefined || isPointerToFile(declared)) return fromFile(read);

  const declaredClass = classOfExpression(declared);
  if (declaredClass === "unknown" && declared !== "UNLICENSED" && read !== undefined) {
    return fromFile(read);
  }
  const licence = { id: declared, class: declaredClass, from: "package.json" } as const;
  const agrees = read === undefined || idsOf(declared).includes(read) || declared === "BSD";
  return agrees ? licence : { ...licence, contradiction: read };
}

/** The licence whose sentence comes first: files that bundle other packages' licences begin with their own. */
export function recogniseText(text: string): string | undefined {
  const plain = text.toLowerCase().replaceAll(/[\s*#>]+/g, " ");
  let first: { readonly id: string; readonly at: number } | undefined;
  for (const [id, sentence] of sentences) {
    const at = plain.search(sentence);
    if (at >= 0 && (first === undefined || at < first.at)) first = { id, at };
  }
  return first?.id;
}

function declaredLicence({ license, licenses }: LicenceFields): string | undefined {
  const names = namesIn(license ?? licenses).map(normaliseName);
  // The old `licenses` was a list to choose from.
  return names.length > 1 ? `(${names.join(" OR ")})` : names[0];
}

function namesIn(field: unknown): readonly string[] {
  if (typeof field === "string") return field.trim() === "" ? [] : [field.trim()];
  if (Array.isArray(field)) return field.flatMap(namesIn);
  if (typeof field !== "object" || field === null) return [];
  if ("type" in field) return namesIn(field.type);
  return "name" in field ? namesIn(field.name) : [];
}

function normaliseName(name: string): string {
  return idOfOldName.get(name.toLowerCase()) ?? name;
}

function isPointerToFile(declared: string): boolean {
  return /^see licen[cs]e in /i.test(declared);
}

function fromFile(id: string | undefined): Licence {
  if (id === undefined) return { id: "none", class: "unknown", from: "nowhere" };
  return { id, class: classOfLicence(id), from: "licence file" };
}

/** `GPL-2.0-or-later`, `GPL-2.0-only` and `GPL-2.0+` ask for the same as `GPL-2.0`. */
function withoutSuffix(id: string): string {
  return id.replace(/(-only|-or-later|\+)$/, "");
}

function classOfLicence(id: string): LicenceClass {
  return classOfId.get(withoutSuffix(id).toLowerCase()) ?? "unknown";
}

function idsOf(expression: string): readonly string[] {
  return expression
    .split(/[\s()]+/)
    .filter((word) => !["", "OR", "AND", "WITH"].includes(word))
    .map(withoutSuffix);
}

/** OR lets us choose the class that asks least; AND binds us to the one that asks most. */
export function classOfExpression(expression: string): LicenceClass {
  const known = classOfLicence(expression);
  if (known !== "unknown") return known;
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;

  const readChoice = (): LicenceClass => {
    let least = readSum();
    while (take("OR")) least = lesser(least, readSum());
    return least;
  };
  const readSum = (): LicenceClass => {
    let most = readOne();
    while (take("AND")) most = greater(most, readOne());
    return most;
  };
  const readOne = (): LicenceClass => {
    if (take("(")) {
      const inner = readChoice();
      return take(")") ? inner : "unknown";
    }
    const licence = classOfLicence(words[at++] ?? "");
    // An exception only ever takes demands away.
    if (take("WITH")) at++;
    return licence;
  };
  const take = (word: string): boolean => {
    if (words[at]?.toUpperCase() !== word) return false;
    at++;
    return true;
  };

  const found = readChoice();
  return at === words.length ? found : "unknown";
}

function lesser(a: LicenceClass, b: LicenceClass): LicenceClass {
  return licenceClasses.indexOf(a) <= licenceClasses.indexOf(b) ? a : b;
}

function greater(a: LicenceClass, b: LicenceClass): LicenceClass {
  return licenceClasses.indexOf(a) >= licenceClasses.indexOf(b) ? a : b;
}
