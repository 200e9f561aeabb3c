using System.Globalization;

namespace Hami.Lab.Cluster;

/// <summary>What runs on this machine, as <c>/proc</c> tells it.</summary>
internal static class RunningProcesses
{
    /// <summary>The ids of those of which something holds; a process that ends meanwhile, or is somebody else's, is left out.</summary>
    public static IEnumerable<int> Where(Func<int, bool> holds) =>
        from folder in Directory.Exists("/proc") ? Directory.EnumerateDirectories("/proc") : []
        let id = int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var number) ? number : 0
        where id > 0 && Holds(id, holds)
        select id;

    private static bool Holds(int id, Func<int, bool> holds)
    {
        try
        {
            return holds(id);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
