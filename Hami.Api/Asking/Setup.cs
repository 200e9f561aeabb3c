using GraphQL;
using GraphQL.Types;
using GraphQLParser.AST;

namespace Hami.Api.Asking;

/// <summary>Puts the schema together.</summary>
internal static class QuestionSetup
{
    // Once for a process, in which tests put several schemas together.
    static QuestionSetup() => GlobalSwitches.GlobalAttributes.Add(new Comments());

    /// <summary>The schema of <see cref="Query"/> and <see cref="Subscription"/>, and what one question may cost.</summary>
    public static IServiceCollection AddQuestions(this IServiceCollection services)
    {
        services.AddTransient(typeof(AutoRegisteringObjectGraphType<>), typeof(FactsType<>));
        services.AddGraphQL(graphql => graphql
            .AddAutoSchema<Query>(schema => schema.WithSubscription<Subscription>())
            .AddComplexityAnalyzer(limits =>
            {
                limits.MaxDepth = Limits.Depth;
                limits.MaxComplexity = Limits.Complexity;
                limits.DefaultListImpactMultiplier = Limits.RowsWithinARow;
                var usual = limits.DefaultComplexityImpactDelegate;
                // Looking at the schema costs nothing: it has its size.
                limits.DefaultComplexityImpactDelegate = field => field.FieldDefinition.Name.StartsWith("__", StringComparison.Ordinal) ? new(0, 0) : usual(field);
            })
            .AddExecutionStrategy<PositionedSubscription>(OperationType.Subscription)
            .AddSystemTextJson()
            .AddErrorInfoProvider(errors => errors.ExposeExceptionDetails = false));
        return services;
    }
}
