using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Allocating;

namespace Hami.Tests.Observing;

/// <summary>Regions as the real library writes them, on the pretended driver.</summary>
public sealed class RegionsOfTheLibrary : IDisposable
{
    private const long MiB = 1 << 20;
    private const string Uuid = "GPU-11111111-1111-1111-1111-111111111111";

    private readonly DirectoryInfo root = Directory.CreateTempSubdirectory("hami");
    private readonly RegionFiles regions;
    private readonly string place;

    public RegionsOfTheLibrary()
    {
        var directories = new ContainerDirectories(NodePods.Options() with { HookPath = root.FullName });
        regions = new(directories);
        place = directories.Of("uid-a", "c0");
        Directory.CreateDirectory(place);
        File.WriteAllText(Path.Combine(root.FullName, "cards.txt"), $"{Uuid};NVIDIA A100;40960;108\n");
    }

    public void Dispose() => root.Delete(recursive: true);

    [Fact]
    [Trait("Scoreboard", "I05")]
    [Trait("Scoreboard", "I06")]
    public async Task What_the_library_wrote_is_read_and_follows_an_allocation_of_known_size()
    {
        using var program = Start("alloc", "300", "--hold");
        Assert.Equal("CUDA_SUCCESS", await program.StandardOutput.ReadLineAsync());
        using var region = regions.Open("uid-a", "c0", writing: false);
        var reading = new RegionReading();
        Assert.Equal(RegionState.Usable, reading.Read(region!, process => region!.IsTaken(process.Slot)));

        Assert.Equal((RegionKind.Ours, 1, Uuid, 1000UL * (ulong)MiB), (reading.Kind, reading.Devices, Encoding.ASCII.GetString(reading.Uuid(0)), reading.Use(0).LimitBytes));
        Assert.Equal(program.Id, Assert.Single(reading.Processes).HostPid);
        var use = reading.Use(0);
        Assert.True(use.TotalBytes >= 300UL * (ulong)MiB, $"{use.TotalBytes}");
        Assert.Equal(use.TotalBytes, use.ContextBytes + use.ModuleBytes + use.BufferBytes);
        Assert.Equal((2, 1, 0), (reading.RecentKernel, reading.UtilizationSwitch, reading.Priority));

        program.Kill();
        await program.WaitForExitAsync();
        Assert.Equal(RegionState.Usable, reading.Read(region!, process => region!.IsTaken(process.Slot)));
        Assert.Empty(reading.Processes); // though its place still says that it runs
        Assert.Equal(0UL, reading.Use(0).TotalBytes);
    }

    private Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(Built, "bin", "lab-cuda"), arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment["LD_PRELOAD"] = Path.Combine(Built, "libvgpu.so");
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(Built, "driver");
        start.Environment["HAMI_FAKE_DRIVER"] = Path.Combine(root.FullName, "cards.txt");
        start.Environment["NVIDIA_VISIBLE_DEVICES"] = Uuid;
        start.Environment["CUDA_DEVICE_MEMORY_LIMIT_0"] = "1000m";
        start.Environment["CUDA_TASK_PRIORITY"] = "0";
        start.Environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = Path.Combine(place, "x.cache");
        return Process.Start(start)!;
    }

    private static string Built { get; } = Path.Combine(Path.GetDirectoryName(Here())!, "..", "..", "Hami.Interceptor", "build");

    private static string Here([CallerFilePath] string file = "") => file;
}
