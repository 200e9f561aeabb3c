using NetArchTest.Rules;

namespace Hami.Tests;

public sealed class Architecture
{
    [Fact]
    public void The_domain_imports_the_base_library_only()
    {
        var domain = typeof(Domain.Ledger.NodeEvent).Assembly;
        Assert.All(domain.GetReferencedAssemblies(), a => Assert.StartsWith("System.", a.Name, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(typeof(Api.Query))]
    [InlineData(typeof(Domain.Ledger.NodeEvent))]
    public void The_product_does_not_import_the_lab(Type inAssembly) =>
        AssertHolds(Types.InAssembly(inAssembly.Assembly).ShouldNot().HaveDependencyOn("Hami.Lab").GetResult());

    [Fact]
    public void The_control_plane_does_not_import_the_node_agent() =>
        AssertHolds(Types.InAssembly(typeof(Api.Query).Assembly).ShouldNot().HaveDependencyOn("Hami.NodeAgent").GetResult());

    private static void AssertHolds(NetArchTest.Rules.TestResult result) =>
        Assert.True(result.IsSuccessful, string.Join(", ", result.FailingTypeNames ?? []));
}
