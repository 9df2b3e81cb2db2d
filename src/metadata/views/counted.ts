/** So many rows of a listing are counted one by one; a total beyond is the planner's estimate. */
export const COUNTED = 10_000;
