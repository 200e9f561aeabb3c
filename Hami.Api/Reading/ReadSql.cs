using Hami.Api.Plumbing;
using Hami.Domain.Reading;

namespace Hami.Api.Reading;

/// <summary>The statements that make the tables of a generation and write rows into them.</summary>
internal static class ReadSql
{
    /// <summary>Makes the row that says which generation is in force, and the function that moves it on.</summary>
    public static readonly string CreateHead =
        $"""
        create table if not exists {ReadTables.Head} (
            id integer primary key default 1 check (id = 1),
            generation integer not null,
            shape integer not null,
            position bigint not null,
            hash text not null default '');
        do $$
        begin
            -- A table of before; to alter one waits for all who use it, so only then.
            if not exists (select from pg_attribute where attrelid = '{ReadTables.Head}'::regclass and attname = 'hash') then
                alter table {ReadTables.Head} add column hash text not null default '';
            end if;
        end $$;
        create schema if not exists {ReadTables.Schema};
        create or replace function {ReadTables.Head}_advance(of_generation integer, from_position bigint, to_position bigint) returns void language plpgsql as $$
        begin
            update {ReadTables.Head} set position = to_position, hash = {HashAt("to_position")} where generation = of_generation and position = from_position;
            if not found then
                raise exception 'generation % of the read models is not in force, or not at position %: somebody else wrote them', of_generation, from_position;
            end if;
        end $$;
        """;

    /// <summary>The hash of the event at a position, by which it is known whether it is still the same one; empty where there is none.</summary>
    public static string HashAt(string position) => $"coalesce((select e.headers ->> 'hash' from {MartenSetup.Schema}.mt_events e where e.seq_id = {position}), '')";

    /// <summary>Fails the transaction unless the generation is in force and stands where the writer thinks; nobody else moves it until the transaction ends.</summary>
    /// <remarks>Parameters: generation, position before, position after.</remarks>
    public static string Advance(string first, string second, string third) => $"select {ReadTables.Head}_advance({first}, {second}, {third})";

    /// <summary>The tables of a generation, to be filled.</summary>
    public static string CreateTables(int generation) =>
        $"""
        drop schema if exists {ReadTables.SchemaOf(generation)} cascade;
        create schema {ReadTables.SchemaOf(generation)};
        {string.Join('\n', ReadTables.All.Select(t => $"create table {Name(t, generation)} ({string.Join(", ", t.Columns.Select(c => $"{c.Name} {c.Type}"))});"))}
        """;

    /// <summary>Their keys, and what makes them quick to ask; slower to fill, so last.</summary>
    public static string CreateIndexes(int generation) =>
        string.Join('\n', ReadTables.All.Select(t =>
            $"alter table {Name(t, generation)} add primary key ({string.Join(", ", t.Key)});\n{string.Join('\n', t.Indexes.Select(i => $"create index on {Name(t, generation)} {i};"))}\nanalyze {Name(t, generation)};"));

    /// <summary>Shows everybody the tables of this generation.</summary>
    public static string Show(int generation) =>
        string.Join('\n', ReadTables.All.Select(t => $"drop view if exists {ReadTables.Schema}.{t.Name}; create view {ReadTables.Schema}.{t.Name} as select * from {Name(t, generation)};"));

    /// <summary>One statement for each table that has changed, with the JSON it takes.</summary>
    /// <param name="parameter">How the statement names its parameter.</param>
    public static IEnumerable<(string Sql, string Json)> Write(ReadChanges changes, int generation, string parameter)
    {
        if (changes.Allocations.Count > 0)
            yield return (Upsert(ReadTables.Allocation, generation, parameter), ReadJson.Rows(changes.Allocations));
        if (changes.Holdings.Count > 0)
            yield return (Upsert(ReadTables.Holding, generation, parameter), ReadJson.Rows(changes.Holdings));
        if (changes.Nodes.Count > 0)
            yield return (Upsert(ReadTables.Node, generation, parameter), ReadJson.Rows(changes.Nodes));
        if (changes.Devices.Count > 0)
            yield return (Upsert(ReadTables.Device, generation, parameter), ReadJson.Rows(changes.Devices));
        if (changes.Sizes.Count > 0)
            yield return (Upsert(ReadTables.CardSize, generation, parameter), ReadJson.Rows(changes.Sizes));
        if (changes.Refusals.Count > 0)
            yield return (Upsert(ReadTables.Refusal, generation, parameter), ReadJson.Rows(changes.Refusals));
        if (changes.Usage.Usage.Count > 0)
            yield return (Upsert(ReadTables.UsageTable, generation, parameter), ReadJson.Rows(changes.Usage.Usage));
        if (changes.Usage.Cards.Count > 0)
            yield return (Upsert(ReadTables.CardDay, generation, parameter), ReadJson.Rows(changes.Usage.Cards));
    }

    /// <summary>Takes rows of a table of a generation that are new to it.</summary>
    public static string Copy(ReadTable table, int generation) =>
        $"copy {Name(table, generation)} ({string.Join(", ", table.Columns.Select(c => c.Name))}) from stdin (format binary)";

    private static string Name(ReadTable table, int generation) => $"{ReadTables.SchemaOf(generation)}.{table.Name}";

    private static string Upsert(ReadTable table, int generation, string parameter)
    {
        var name = Name(table, generation);
        var set = table.Sums.Length > 0
            ? table.Sums.Select(c => $"{c} = t.{c} + excluded.{c}")
            : table.Columns.Select(c => c.Name).Except(table.Key, StringComparer.Ordinal).Select(c => $"{c} = excluded.{c}");
        return $"insert into {name} as t select * from json_populate_recordset(null::{name}, {parameter}::json) on conflict ({string.Join(", ", table.Key)}) do update set {string.Join(", ", set)}";
    }
}
