using Hami.Lab.Cluster;
using Hami.NodeAgent.Plumbing.Nvml;

namespace Hami.Tests.Given;

/// <summary>A node's cards as the pretended NVML tells them: a folder with a copy of the library, the list of cards beside it, and what is done to them by hand.</summary>
internal sealed class PretendedCards : IDisposable
{
    public const string A100With40GB = "NVIDIA A100-SXM4-40GB;40960;108";
    public const string A100With80GB = "NVIDIA A100-SXM4-80GB;81920;108";

    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("hami-cards-");

    /// <param name="lines">A line for each card; see the interceptor's README.</param>
    public PretendedCards(params string[] lines)
    {
        File.Copy(Path.Combine(BuiltPrograms.Interceptor, "driver", "libnvidia-ml.so.1"), Library);
        File.WriteAllLines(Cards, lines);
    }

    public string Library => Path.Combine(folder.FullName, "libnvidia-ml.so.1");

    public string Cards => Path.Combine(folder.FullName, "cards.txt");

    /// <summary>The MIG instances that exist, in the words of the pretended driver; empty when there are none.</summary>
    public string[] Instances => File.Exists(Cards + ".mig") ? [.. File.ReadLines(Cards + ".mig").Where(l => l.StartsWith("gi ", StringComparison.Ordinal) || l.StartsWith("ci ", StringComparison.Ordinal))] : [];

    public NvmlLibrary Open() => NvmlLibrary.Open(Library);

    public void Xid(string uuid, int number) => File.AppendAllText(Cards + ".events", $"xid {uuid} {number}\n");

    public void Xid(string uuid, int number, int gpuInstance, int computeInstance) =>
        File.AppendAllText(Cards + ".events", $"xid {uuid} {number} {gpuInstance} {computeInstance}\n");

    /// <summary>The driver goes away, and comes back.</summary>
    public bool Lost
    {
        set
        {
            if (value)
                File.WriteAllText(Cards + ".lost", "");
            else
                File.Delete(Cards + ".lost");
        }
    }

    /// <param name="failures">Such as <c>nvmlGpuInstanceCreateComputeInstance:1:23</c>: symbol, which call (0: every), code; empty for none.</param>
    public void Fail(string failures) => File.WriteAllText(Cards + ".fail", failures);

    public void Dispose() => folder.Delete(recursive: true);
}
