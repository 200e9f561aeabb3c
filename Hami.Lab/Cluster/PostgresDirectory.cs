using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Hami.Lab.Cluster;

/// <summary>Where the data of one PostgreSQL really lies, and who owns it.</summary>
/// <param name="Wanted">What the caller named.</param>
/// <param name="Actual">Where the data is: the same, or a place that the unprivileged user can reach.</param>
/// <param name="User">Who runs the server: null for ourselves; PostgreSQL refuses to run as root.</param>
internal sealed record PostgresDirectory(string Wanted, string Actual, string? User)
{
    public string PidFile => Path.Combine(Actual, "postmaster.pid");

    public bool IsEmpty => !File.Exists(Path.Combine(Actual, "PG_VERSION"));

    public static PostgresDirectory For(string wanted)
    {
        wanted = Path.GetFullPath(wanted);
        if (!Environment.IsPrivilegedProcess)
            return new(wanted, wanted, User: null);
        var user = File.ReadLines("/etc/passwd").Any(line => line.StartsWith("postgres:", StringComparison.Ordinal)) ? "postgres" : "nobody";
        return new(wanted, EverybodyMayEnter(Path.GetDirectoryName(wanted)!) ? wanted : Elsewhere(wanted), user);
    }

    /// <summary>Makes the folder and gives it to the user; a link at the wanted place tells where the data went.</summary>
    public async Task PrepareAsync(CancellationToken ct)
    {
        Directory.CreateDirectory(Actual);
        File.SetUnixFileMode(Actual, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        if (User is not null)
            await Programs.RunAsync(["chown", "-R", $"{User}:", Actual], input: null, ct);
        if (Actual != Wanted && !Path.Exists(Wanted))
            Directory.CreateSymbolicLink(Wanted, Actual);
    }

    /// <summary>Removes the data, the link to it and the log.</summary>
    public void Purge()
    {
        if (Directory.Exists(Actual))
            Directory.Delete(Actual, recursive: true);
        if (new FileInfo(Wanted).LinkTarget is not null)
            File.Delete(Wanted);
        File.Delete(Wanted + ".log");
    }

    private static bool EverybodyMayEnter(string folder)
    {
        for (var at = folder; at is not null; at = Path.GetDirectoryName(at))
            if (Directory.Exists(at) && !File.GetUnixFileMode(at).HasFlag(UnixFileMode.OtherExecute))
                return false;
        return true;
    }

    private static string Elsewhere(string wanted)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(wanted)))[..12];
        return string.Create(CultureInfo.InvariantCulture, $"/var/tmp/hami-{Environment.UserName}-{hash}");
    }
}
