/** Lists that go on where their end comes into view. */
import { useCallback } from "react";

/** The part of an infinite query that fetches its next page. */
interface Paged {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): Promise<unknown>;
}

/** What to call at the end of the list: fetches the next page once, where there is one. */
export function useNextPage({ hasNextPage, isFetchingNextPage, fetchNextPage }: Paged): () => void {
  return useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
}
