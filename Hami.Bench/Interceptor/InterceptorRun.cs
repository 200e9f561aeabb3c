extern alias lab;

using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using lab::Hami.Lab.Cluster;

namespace Hami.Bench.Interceptor;

/// <summary>Runs <c>Hami.Interceptor/bench/costs</c> in turn bare and under the interceptor, so that both see the same machine.</summary>
internal sealed class InterceptorRun(int rounds)
{
    private const string StartMs = "150"; // of the driver's own; a real one takes about that

    private static readonly string Built = BuiltPrograms.Interceptor;

    private static readonly IReadOnlyDictionary<string, string> Memory = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["CUDA_DEVICE_MEMORY_LIMIT_0"] = "64g",
    };

    private static readonly IReadOnlyDictionary<string, string> Compute = new Dictionary<string, string>(Memory, StringComparer.Ordinal)
    {
        ["CUDA_DEVICE_SM_LIMIT"] = "50",
        ["GPU_CORE_UTILIZATION_POLICY"] = "force",
    };

    public async Task<InterceptorReport> MeasureAsync(CancellationToken cancellationToken)
    {
        var (bare, memory, compute) = (new Costs(), new Costs(), new Costs());
        var (one, many) = (new Pair(double.MaxValue, double.MaxValue), new Pair(double.MaxValue, double.MaxValue));
        for (var round = 0; round < rounds; round++)
        {
            bare = bare.Fastest(await CostsAsync(null, cancellationToken));
            memory = memory.Fastest(await CostsAsync(Memory, cancellationToken));
            compute = compute.Fastest(await CostsAsync(Compute, cancellationToken));
            one = await StartsAsync(1, one, cancellationToken);
            many = await StartsAsync(20, many, cancellationToken);
        }
        return new(
            new(bare.LaunchNs, memory.LaunchNs), new(bare.LaunchNs, compute.LaunchNs), new(bare.AllocFreeNs, memory.AllocFreeNs),
            new(bare.FreeLive20kNs, memory.FreeLive20kNs), new(bare.MemInfoNs, memory.MemInfoNs), one, many);
    }

    private static async Task<Costs> CostsAsync(IReadOnlyDictionary<string, string>? limits, CancellationToken cancellationToken) =>
        JsonSerializer.Deserialize<Costs>(await RunAsync(limits, [], cancellationToken), JsonSerializerOptions.Web)!;

    private static async Task<Pair> StartsAsync(int processes, Pair before, CancellationToken cancellationToken)
    {
        string[] arguments = ["starts", processes.ToString(CultureInfo.InvariantCulture)];
        var bare = double.Parse(await RunAsync(null, arguments, cancellationToken), CultureInfo.InvariantCulture);
        var ours = double.Parse(await RunAsync(Memory, arguments, cancellationToken), CultureInfo.InvariantCulture);
        return new(Math.Min(before.Native, bare), Math.Min(before.Ours, ours));
    }

    private static async Task<string> RunAsync(IReadOnlyDictionary<string, string>? limits, string[] arguments, CancellationToken cancellationToken)
    {
        var program = Path.Combine(Built, "bench", "costs");
        if (!File.Exists(program))
            throw new InvalidOperationException($"{program} is not built; run `./hami build`.");
        var region = Path.Combine(Path.GetTempPath(), $"hami-bench-{Environment.ProcessId}.region");
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, UseShellExecute = false };
        start.Environment["LD_LIBRARY_PATH"] = Path.Combine(Built, "bench");
        start.Environment["HAMI_NULL_INIT_MS"] = arguments is [] ? "0" : StartMs;
        start.Environment.Remove("LD_PRELOAD");
        if (limits is not null)
        {
            start.Environment["LD_PRELOAD"] = Path.Combine(Built, "libvgpu.so");
            start.Environment["CUDA_DEVICE_MEMORY_SHARED_CACHE"] = region;
            foreach (var (name, value) in limits)
                start.Environment[name] = value;
        }
        try
        {
            using var process = Process.Start(start)!;
            var output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{program} ended with {process.ExitCode}.");
        }
        finally
        {
            File.Delete(region);
        }
    }

    /// <summary>What the program prints.</summary>
    private sealed record Costs(
        double LaunchNs = double.MaxValue, double AllocFreeNs = double.MaxValue, double FreeLive20kNs = double.MaxValue, double MemInfoNs = double.MaxValue)
    {
        public Costs Fastest(Costs other) => new(
            Math.Min(LaunchNs, other.LaunchNs), Math.Min(AllocFreeNs, other.AllocFreeNs), Math.Min(FreeLive20kNs, other.FreeLive20kNs),
            Math.Min(MemInfoNs, other.MemInfoNs));
    }
}
