using System.Diagnostics;
using System.Globalization;

namespace Hami.Lab.Cluster;

/// <summary>A PostgreSQL of our own, from the machine's binaries, on a loopback port.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private readonly PostgresDirectory _directory;
    private readonly ChildProcess _process;

    private PostgresServer(PostgresDirectory directory, ChildProcess process, int port)
    {
        _directory = directory;
        _process = process;
        Port = port;
    }

    public int Port { get; }

    public int ProcessId => _process.Id;

    public string ConnectionString => $"Host=127.0.0.1;Port={Port};Username=hami;Database=hami";

    /// <summary>Starts the server of a data directory, made first when empty; returns once it answers.</summary>
    /// <param name="directory">The data directory.</param>
    /// <param name="port">A loopback port; null takes a free one.</param>
    /// <param name="durable">Whether a commit is on disk before it is answered; false is for data nobody will miss.</param>
    /// <param name="log">Where it logs; null for <c>&lt;directory&gt;.log</c>.</param>
    /// <param name="ct">Gives up waiting; the server is then stopped.</param>
    /// <exception cref="InvalidOperationException">No PostgreSQL on this machine, or it did not start; the message says what to do.</exception>
    public static async Task<PostgresServer> StartAsync(string directory, int? port = null, bool durable = true, string? log = null, CancellationToken ct = default)
    {
        var binaries = await PostgresBinaries.FindAsync(ct);
        var place = PostgresDirectory.For(directory);
        await StopStaleAsync(place, ct);
        await place.PrepareAsync(ct);
        if (place.IsEmpty)
            await InitializeAsync(binaries, place, durable, ct);

        var chosen = port ?? Loopback.FreePort();
        log ??= place.Wanted + ".log";
        var process = await ChildProcess.StartAsync(
            "PostgreSQL",
            [Path.Combine(binaries, "postgres"), "-D", place.Actual, .. Settings(chosen, durable)],
            log,
            place.User,
            // SIGINT is "fast shutdown": sessions end, a checkpoint is written. Throw-away data needs none: SIGQUIT.
            durable ? Signals.Interrupt : Signals.Quit,
            new Dictionary<string, string?>(StringComparer.Ordinal) { ["LC_ALL"] = "C", ["PGDATA"] = null, ["PGPORT"] = null });
        var server = new PostgresServer(place, process, chosen);
        try
        {
            await server.WaitUntilReadyAsync(log, ct);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes the data of a server that is not running.</summary>
    public static void Purge(string directory) => PostgresDirectory.For(directory).Purge();

    /// <summary>Ends it at once, as a crash would.</summary>
    public void Kill() => _process.Kill();

    public Task StopAsync() => _process.StopAsync(TimeSpan.FromSeconds(20));

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _process.DisposeAsync();
    }

    private static IEnumerable<string> Settings(int port, bool durable)
    {
        string[] settings =
        [
            $"port={port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=", // its path could be too long, and nobody needs it
            "shared_buffers=64MB",
            // Tests keep many small databases, each with its own pool.
            durable ? "max_connections=100" : "max_connections=400",
            .. durable ? Array.Empty<string>() : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"],
        ];
        return settings.SelectMany(setting => new[] { "-c", setting });
    }

    private static async Task InitializeAsync(string binaries, PostgresDirectory place, bool durable, CancellationToken ct)
    {
        string[] asUser = ChildProcess.AsUser(place.User);
        await Programs.RunAsync(
            [
                .. asUser, Path.Combine(binaries, "initdb"), "-D", place.Actual, "--username=hami", "--auth=trust", "--encoding=UTF8", "--locale=C",
                .. durable ? Array.Empty<string>() : ["--no-sync"],
            ],
            input: null,
            ct);
        // Single-user mode needs no client program, which Debian ships apart.
        await Programs.RunAsync([.. asUser, Path.Combine(binaries, "postgres"), "--single", "-D", place.Actual, "postgres"], "CREATE DATABASE hami\n", ct);
    }

    private static async Task StopStaleAsync(PostgresDirectory place, CancellationToken ct)
    {
        if (!File.Exists(place.PidFile) || !int.TryParse(File.ReadLines(place.PidFile).FirstOrDefault(), CultureInfo.InvariantCulture, out var id))
            return;
        var since = Stopwatch.StartNew();
        if (ServesDirectory(id, place.Actual))
            Signals.Send(id, Signals.Interrupt);
        while (ServesDirectory(id, place.Actual))
        {
            if (since.Elapsed > TimeSpan.FromSeconds(15))
                Signals.Send(id, Signals.Quit);
            await Task.Delay(50, ct);
        }
        // A server that crashed leaves children, which end once they see that; until then their memory stands in the way of the next.
        while (RunningProcesses.Where(process => WorksIn(process, place.Actual)).ToList() is { Count: > 0 } children)
        {
            if (since.Elapsed > TimeSpan.FromSeconds(15))
                children.ForEach(child => Signals.Send(child, Signals.Kill));
            await Task.Delay(50, ct);
        }
    }

    // Processes of a server work in its data directory.
    private static bool WorksIn(int processId, string directory) =>
        File.ResolveLinkTarget($"/proc/{processId}/cwd", returnFinalTarget: false)?.FullName == directory
        && File.ReadAllText($"/proc/{processId}/comm").StartsWith("postgres", StringComparison.Ordinal);

    // The id may be somebody else's by now: only a process that names this directory is ours to stop.
    private static bool ServesDirectory(int processId, string directory)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/cmdline").Split('\0').Contains(directory, StringComparer.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task WaitUntilReadyAsync(string log, CancellationToken ct)
    {
        var since = Stopwatch.StartNew();
        while (!IsReady())
        {
            if (_process.HasExited || since.Elapsed > Patience)
                throw new InvalidOperationException($"PostgreSQL did not start; its log {log} ends with: {(File.Exists(log) ? File.ReadLines(log).LastOrDefault() : null)}");
            await Task.Delay(20, ct);
        }
    }

    // The eighth line is the postmaster's own word for its state, as pg_ctl reads it.
    private bool IsReady()
    {
        try
        {
            var lines = File.ReadAllLines(_directory.PidFile);
            return lines.Length >= 8 && lines[0].Trim() == Id && lines[7].StartsWith("ready", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private string Id => _process.Id.ToString(CultureInfo.InvariantCulture);
}
