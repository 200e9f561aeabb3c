using System.Security.Cryptography;
using System.Text;

namespace Hami.Lab.Cluster;

/// <summary>Where a lab keeps what.</summary>
internal sealed class LabPaths
{
    // What a node adds: /n10/kubelet/device-plugins/kubelet_internal_checkpoint and sockets of the same length; sun_path holds 107 bytes.
    private const int LongestForSockets = 60;

    public LabPaths(string root, string? nodes = null)
    {
        Root = Path.GetFullPath(root);
        Nodes = nodes ?? (Encoding.UTF8.GetByteCount(Root) <= LongestForSockets ? Root : Path.Combine("/tmp", $"hami-{Hash(Root)}"));
    }

    public string Root { get; }

    /// <summary>The nodes' folder: the root if no other is named, or a shorter place when the root is too long for the paths of unix sockets.</summary>
    public string Nodes { get; }

    public string Postgres => Path.Combine(Root, "postgres");

    public string ApiServerStore => Path.Combine(Root, "apiserver.wal");

    public string Kubeconfig => Path.Combine(Root, "kubeconfig");

    public string Addresses => Path.Combine(Root, "addresses.json");

    /// <summary>What the control plane signs allocations with.</summary>
    public string SigningKey => Path.Combine(Root, "signing.key");

    /// <summary>What the node agents know its signatures by.</summary>
    public string SigningPublicKey => Path.Combine(Root, "signing.pub");

    public string Logs => Path.Combine(Root, "logs");

    public string Log(string program) => Path.Combine(Logs, program + ".log");

    public void Create()
    {
        Directory.CreateDirectory(Logs);
        Directory.CreateDirectory(Nodes);
    }

    /// <summary>Removes everything, also what lies elsewhere.</summary>
    public void Purge()
    {
        PostgresServer.Purge(Postgres);
        if (Directory.Exists(Nodes))
            Directory.Delete(Nodes, recursive: true);
        if (Directory.Exists(Root))
            Directory.Delete(Root, recursive: true);
    }

    /// <summary>Removes everything but the logs and returns their folder.</summary>
    public string PurgeAllButLogs()
    {
        PostgresServer.Purge(Postgres);
        foreach (var entry in new DirectoryInfo(Root).EnumerateFileSystemInfos().Where(entry => entry.FullName != Logs).ToList())
        {
            if (entry is DirectoryInfo { LinkTarget: null } folder)
                folder.Delete(recursive: true);
            else
                entry.Delete();
        }

        if (Nodes != Root && Directory.Exists(Nodes))
            Directory.Delete(Nodes, recursive: true);
        return Logs;
    }

    private static string Hash(string path) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..8];
}
