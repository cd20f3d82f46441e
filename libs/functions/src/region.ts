/** Where functions run: here. Clients may ask for any region of Supabase's and are told this one. */
export const region = 'local';
