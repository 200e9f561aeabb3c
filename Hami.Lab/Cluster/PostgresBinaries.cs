namespace Hami.Lab.Cluster;

/// <summary>Where this machine keeps the PostgreSQL server.</summary>
internal static class PostgresBinaries
{
    /// <summary>The folder that holds both initdb and postgres; throws with the install line when there is none.</summary>
    public static async Task<string> FindAsync(CancellationToken ct)
    {
        foreach (var folder in await CandidatesAsync(ct))
            if (File.Exists(Path.Combine(folder, "initdb")) && File.Exists(Path.Combine(folder, "postgres")))
                return folder;
        throw new InvalidOperationException("PostgreSQL's server programs are not on this machine; install them with `apt-get install postgresql`.");
    }

    private static async Task<IEnumerable<string>> CandidatesAsync(CancellationToken ct)
    {
        // Debian's versioned folders, newest first: 9.6 < 15 < 18.
        var debian = Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql")
                .OrderByDescending(folder => double.TryParse(Path.GetFileName(folder), out var version) ? version : 0)
                .Select(folder => Path.Combine(folder, "bin"))
            : [];
        return [.. await AsConfiguredAsync(ct), .. InPath(), .. debian];
    }

    private static async Task<string[]> AsConfiguredAsync(CancellationToken ct)
    {
        // pg_config of a client-only machine names a folder without a server, or fails: the caller looks inside.
        if (Programs.Find("pg_config") is not { } configuration)
            return [];
        try
        {
            return [(await Programs.RunAsync([configuration, "--bindir"], input: null, ct)).Trim()];
        }
        catch (InvalidOperationException)
        {
            return [];
        }
    }

    private static string[] InPath() => Programs.Find("postgres") is { } postgres ? [Path.GetDirectoryName(postgres)!] : [];
}
