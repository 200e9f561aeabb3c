using Npgsql;

namespace Hami.Api.Access.SigningIn;

/// <summary>What replicas share so that one can end a sign-in that another began: a schema of its own, which may be dropped while nobody signs in.</summary>
internal static class SignInTables
{
    public const string Schema = "hami_sign_in";
    public const string Keys = $"{Schema}.key";
    public const string Handed = $"{Schema}.handed";

    // Any number will do that nobody else in this database locks: "hams" in ASCII.
    private const long Lock = 0x68616d73;

    /// <summary>Creates what is missing; one process at a time, as two that create the same at once would not both find that it exists.</summary>
    public static void Ensure(NpgsqlDataSource database)
    {
        using var connection = database.OpenConnection();
        using var transaction = connection.BeginTransaction();
        using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new($"select pg_advisory_xact_lock({Lock})"),
                new($"create schema if not exists {Schema}"),
                new($"create table if not exists {Keys} (name text primary key, xml text not null, at timestamptz not null default now())"),
                new($"create table if not exists {Handed} (id bytea primary key, sealed bytea not null, until timestamptz not null)"),
            },
        };
        batch.ExecuteNonQuery();
        transaction.Commit();
    }

    /// <summary>Adds a key, unless somebody has just added another; an element that is no key is always added.</summary>
    /// <remarks>Replicas that start together over an empty ring each make a key; with one of them alone all can read what any wrote.</remarks>
    public static void Add(NpgsqlDataSource database, string name, string xml, bool isKey)
    {
        using var connection = database.OpenConnection();
        using var transaction = connection.BeginTransaction();
        using var batch = new NpgsqlBatch(connection, transaction)
        {
            BatchCommands =
            {
                new($"select pg_advisory_xact_lock({Lock})"),
                new($"insert into {Keys} (name, xml) select $1, $2 where not ($3 and exists (select from {Keys} where name like 'key-%' and at > now() - interval '1 minute')) on conflict do nothing")
                {
                    Parameters = { new() { Value = name }, new() { Value = xml }, new() { Value = isKey } },
                },
            },
        };
        batch.ExecuteNonQuery();
        transaction.Commit();
    }
}
