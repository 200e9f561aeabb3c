namespace Hami.Tests.WebUI;

/// <summary>Every page of the web UI, by the name that a test shows.</summary>
internal static class Pages
{
    /// <summary>Those of the menu, as it has them from top to bottom.</summary>
    public static readonly IReadOnlyList<string> OfTheMenu = ["/", "/nodes", "/devices", "/workloads", "/pending", "/namespaces", "/usage", "/history"];

    /// <summary>What stands for one node, one card and one workload of the scene.</summary>
    public static readonly IReadOnlyList<string> OfOne = ["/nodes/n2", "/devices/{card}", "/workloads/{pod}"];

    public static IEnumerable<string> All => OfTheMenu.Concat(OfOne);

    /// <summary>The address of a page in a scene.</summary>
    public static async Task<string> AddressOfAsync(this WebUIScene scene, string page)
    {
        if (!page.Contains('{', StringComparison.Ordinal))
            return page;
        var held = await scene.AllocationAsync("memory");
        return page.Replace("{pod}", held["podUid"]!.GetValue<string>(), StringComparison.Ordinal)
            .Replace("{card}", held["shares"]![0]!["deviceUuid"]!.GetValue<string>(), StringComparison.Ordinal);
    }
}
