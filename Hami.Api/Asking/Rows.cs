using System.Data.Common;
using System.Globalization;
using GraphQL;
using Hami.Api.Plumbing;
using Npgsql;
using NpgsqlTypes;

namespace Hami.Api.Asking;

/// <summary>Conditions of a statement; what a client gave is always a parameter, never part of the text.</summary>
internal sealed class Conditions
{
    private readonly List<string> _conditions = [];
    private readonly List<object> _values = [];

    /// <summary>Adds a condition, in which <c>?</c> stands for the value.</summary>
    public Conditions And(string condition, object? value)
    {
        if (value is null)
            return this;
        _conditions.Add(condition.Replace("?", Parameter(value), StringComparison.Ordinal));
        return this;
    }

    /// <summary>Adds a condition without a value.</summary>
    public Conditions And(string condition)
    {
        _conditions.Add(condition);
        return this;
    }

    /// <summary>Adds a value, and says how the statement names it.</summary>
    public string Parameter(object value)
    {
        _values.Add(value);
        return $"${_values.Count.ToString(CultureInfo.InvariantCulture)}";
    }

    /// <summary>The conditions so far, for a select within the statement; those that follow are outside of it.</summary>
    public string Within()
    {
        var where = Where;
        _conditions.Clear();
        return where;
    }

    public string Where => _conditions.Count == 0 ? "" : "where " + string.Join(" and ", _conditions);

    public NpgsqlCommand Command(NpgsqlDataSource database, string sql)
    {
        var command = database.CreateCommand(sql);
        foreach (var value in _values)
        {
            command.Parameters.Add(value switch
            {
                DateTimeOffset at => new NpgsqlParameter { Value = at.ToUniversalTime(), NpgsqlDbType = NpgsqlDbType.TimestampTz },
                string[] texts => new NpgsqlParameter { Value = texts, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text },
                string text => new NpgsqlParameter { Value = text, NpgsqlDbType = NpgsqlDbType.Text },
                _ => new NpgsqlParameter { Value = value },
            });
        }
        return command;
    }
}

/// <summary>Reads rows for questions: over connections of their own, which can change nothing and wait for nothing long.</summary>
public sealed class Rows : IDisposable
{
    private const string QueryCancelled = "57014";
    private const string UndefinedTable = "42P01";

    private readonly NpgsqlDataSource _database;

    internal Rows(string connectionString)
    {
        var timeout = ((long)Limits.Statement.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        var settings = new NpgsqlConnectionStringBuilder(connectionString)
        {
            MaxPoolSize = Limits.Connections, MinPoolSize = 0, Timeout = (int)Limits.Statement.TotalSeconds, CommandTimeout = (int)Limits.Question.TotalSeconds, ApplicationName = "hami-questions",
        };
        settings.Options = $"{settings.Options} -c statement_timeout={timeout} -c default_transaction_read_only=on".Trim();
        _database = NpgsqlDataSource.Create(settings.ConnectionString);
    }

    /// <summary>One page, in one statement; the count is another, made only when it is asked for.</summary>
    /// <param name="select">Columns.</param>
    /// <param name="from">The table, with its alias; it may take conditions into a select of its own.</param>
    /// <param name="id">The column that no two rows have in common.</param>
    /// <param name="read">Makes a row of the columns.</param>
    internal async Task<Connection<T>> PageAsync<T>(
        string select, Func<Conditions, string> from, string id, Func<Conditions> conditions, Page<T> page, Func<DbDataReader, T> read, CancellationToken cancellationToken)
    {
        var order = page.Order;
        var direction = order.Descending ? "desc" : "asc";
        var where = conditions();
        var table = from(where);
        if (page.After is { } after)
            where.And($"({order.SqlKey}, {id}) {(order.Descending ? '<' : '>')} ({where.Parameter(after.Key)}, {where.Parameter(IdOf(after.Id))})");
        var rows = await ReadAsync(
            $"select {select} from {table} {where.Where} order by {order.SqlKey} {direction}, {id} {direction} limit {page.First + 1}", where, read, cancellationToken);
        return page.Cut([.. rows.Select(r => (r, order.CursorOf(r)))], ct => CountAsync(from, conditions(), ct));

        object IdOf(string text) => Guid.TryParse(text, out var guid) ? guid
            : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : text;
    }

    internal async Task<List<T>> ReadAsync<T>(string sql, Conditions conditions, Func<DbDataReader, T> read, CancellationToken cancellationToken)
    {
        return await AnsweredAsync(async () =>
        {
            await using var command = conditions.Command(_database, sql);
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            var all = new List<T>();
            while (await rows.ReadAsync(cancellationToken))
                all.Add(read(rows));
            return all;
        }, cancellationToken);
    }

    /// <summary>Refuses a moment whose history was archived.</summary>
    internal Task MustHaveAsync(DateTimeOffset at, CancellationToken cancellationToken) => AnsweredAsync(
        async () =>
        {
            await Horizon.MustHaveAsync(_database, at, cancellationToken);
            return true;
        },
        cancellationToken);

    /// <summary>Asks the database, and says in a sentence why it did not answer.</summary>
    internal static async Task<T> AnsweredAsync<T>(Func<Task<T>> ask, CancellationToken cancellationToken)
    {
        try
        {
            return await ask();
        }
        catch (PostgresException e) when (e.SqlState is QueryCancelled && !cancellationToken.IsCancellationRequested)
        {
            throw new ExecutionError($"The question took PostgreSQL longer than {Limits.Statement.TotalSeconds} s: ask for less, with a filter, a shorter time or without totalCount.", e) { Code = "TOO_LONG" };
        }
        catch (PostgresException e) when (e.SqlState is UndefinedTable)
        {
            throw new ExecutionError("The read models are being put in place: ask again in a while.", e) { Code = "UNAVAILABLE" };
        }
        catch (ArchivedHistoryException e)
        {
            throw new ExecutionError(e.Message, e) { Code = "ARCHIVED" };
        }
        // A text that PostgreSQL cannot hold, such as one with NUL, is in no row.
        catch (PostgresException e) when (e.SqlState.StartsWith("22", StringComparison.Ordinal))
        {
            throw new ExecutionError("A filter holds what no row can hold, such as a NUL character: give plain text.", e) { Code = "BAD_FILTER" };
        }
        // No connection; or it ended because the server is stopping (57P), has none left (53) or lost it (08).
        catch (NpgsqlException e) when (e is not PostgresException || (e.SqlState is { } state && (state.StartsWith("57P", StringComparison.Ordinal) || state.StartsWith("53", StringComparison.Ordinal) || state.StartsWith("08", StringComparison.Ordinal))))
        {
            throw new ExecutionError("PostgreSQL does not answer, or all connections for questions are busy: ask again in a while.", e) { Code = "UNAVAILABLE" };
        }
    }

    /// <summary>The connections themselves, for who reads in a manner of its own.</summary>
    internal NpgsqlDataSource Database => _database;

    public void Dispose() => _database.Dispose();

    /// <inheritdoc cref="PageAsync{T}(string, Func{Conditions, string}, string, Func{Conditions}, Page{T}, Func{DbDataReader, T}, CancellationToken)"/>
    internal Task<Connection<T>> PageAsync<T>(
        string select, string from, string id, Func<Conditions> conditions, Page<T> page, Func<DbDataReader, T> read, CancellationToken cancellationToken) =>
        PageAsync(select, _ => from, id, conditions, page, read, cancellationToken);

    private async Task<long> CountAsync(Func<Conditions, string> from, Conditions where, CancellationToken cancellationToken)
    {
        var table = from(where);
        return (await ReadAsync($"select count(*) from {table} {where.Where}", where, r => r.GetInt64(0), cancellationToken))[0];
    }
}
