import { testRow } from "./matrix.ts";

testRow("A");
testRow("PR");
