/** How many clips a page of the list has. */
export const PAGE_SIZE = 50;
export const MAX_PAGE_SIZE = 200;
